using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Decodes the payload of a float chunk of a block, straightforwardly.</summary>
/// <remarks>tsdb/chunkenc/xor.go of Prometheus.</remarks>
internal static class XorPayload
{
    /// <summary>Appends the samples within the range.</summary>
    /// <exception cref="InvalidDataException">The payload is damaged.</exception>
    public static void Decode(ReadOnlySpan<byte> chunk, TimeRange range, SampleBuffer into)
    {
        if (chunk.Length < 2)
        {
            throw new InvalidDataException("a chunk has no sample count");
        }

        var count = BinaryPrimitives.ReadUInt16BigEndian(chunk);
        var bits = new HistogramBitReader(chunk[2..]);
        var value = default(HistogramXorValue);
        long time = 0, delta = 0;
        for (var i = 0; i < count; i++)
        {
            if (i == 0)
            {
                time = bits.SVarint();
                value.Value = BitConverter.UInt64BitsToDouble(bits.Bits(64));
            }
            else
            {
                delta = i == 1 ? (long)bits.UVarint() : unchecked(delta + DeltaOfDelta(ref bits));
                var next = unchecked(time + delta);
                if (next <= time)
                {
                    throw new InvalidDataException($"time {next} follows {time}");
                }

                time = next;
                value.Read(ref bits);
            }

            if (time > range.MaxMs)
            {
                return;
            }

            if (time >= range.MinMs)
            {
                into.Add(time, value.Value);
            }
        }
    }

    private static long DeltaOfDelta(scoped ref HistogramBitReader bits)
    {
        var ones = 0;
        while (ones < 4 && bits.Bit())
        {
            ones++;
        }

        var size = ones switch { 0 => 0, 1 => 14, 2 => 17, 3 => 20, _ => 64 };
        var raw = bits.Bits(size);
        return size is > 0 and < 64 && raw > 1UL << (size - 1) ? (long)(raw - (1UL << size)) : (long)raw;
    }
}
