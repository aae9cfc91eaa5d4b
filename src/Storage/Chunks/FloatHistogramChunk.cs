using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Chunks of native histograms with float counts.</summary>
/// <remarks>tsdb/chunkenc/float_histogram.go of Prometheus: as <see cref="HistogramChunk"/>, but every count is stored as its difference in bits.</remarks>
public static class FloatHistogramChunk
{
    /// <summary>Appends the histograms within a range.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged.</exception>
    public static void Decode(ReadOnlySpan<byte> chunk, TimeRange range, SampleBuffer into)
    {
        into.NoteEncoded(chunk.Length);
        if (chunk.Length < HistogramChunk.HeaderBytes)
        {
            throw new InvalidDataException($"a histogram chunk has at least {HistogramChunk.HeaderBytes} bytes");
        }

        var count = BinaryPrimitives.ReadUInt16BigEndian(chunk);
        if (count == 0)
        {
            return;
        }

        var bits = new HistogramBitReader(chunk[HistogramChunk.HeaderBytes..]);
        var layout = HistogramLayout.Read(ref bits, 64);
        // Count, zero count and sum, then the positive and the negative buckets.
        var values = new HistogramXorValue[3 + layout.PositiveBuckets + layout.NegativeBuckets];
        long time = 0, delta = 0;
        for (var i = 0; i < count; i++)
        {
            if (i == 0)
            {
                time = bits.VarbitInt();
            }
            else
            {
                delta = unchecked(delta + bits.VarbitInt());
                var next = unchecked(time + delta);
                if (next <= time)
                {
                    throw new InvalidDataException($"time {next} follows {time}");
                }

                time = next;
            }

            Read(ref bits, values.AsSpan(0, 3), i == 0);
            var stale = StaleMarker.Is(values[2].Value);
            if (!stale || i == 0)
            {
                Read(ref bits, values.AsSpan(3), i == 0);
            }

            if (time > range.MaxMs)
            {
                return;
            }

            if (time < range.MinMs)
            {
                continue;
            }

            if (stale)
            {
                into.Add(time, new FloatHistogram { Sum = values[2].Value });
                continue;
            }

            var histogram = layout.NewHistogram(chunk[2], i);
            histogram.Count = values[0].Value;
            histogram.ZeroCount = values[1].Value;
            histogram.Sum = values[2].Value;
            histogram.PositiveBuckets = Copy(values.AsSpan(3, layout.PositiveBuckets));
            histogram.NegativeBuckets = Copy(values.AsSpan(3 + layout.PositiveBuckets));
            into.Add(time, histogram);
        }
    }

    private static void Read(scoped ref HistogramBitReader bits, Span<HistogramXorValue> values, bool first)
    {
        foreach (ref var value in values)
        {
            if (first)
            {
                value.Value = BitConverter.UInt64BitsToDouble(bits.Bits(64));
            }
            else
            {
                value.Read(ref bits);
            }
        }
    }

    private static double[] Copy(ReadOnlySpan<HistogramXorValue> values)
    {
        var copy = values.IsEmpty ? [] : new double[values.Length];
        for (var i = 0; i < copy.Length; i++)
        {
            copy[i] = values[i].Value;
        }

        return copy;
    }
}
