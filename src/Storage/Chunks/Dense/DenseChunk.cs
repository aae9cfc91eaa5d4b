using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Reads dense chunks: floats whose times mostly stand in a column of their own; FORMAT.md draws them.</summary>
internal static class DenseChunk
{
    /// <summary>The most samples of a chunk, and times of a column.</summary>
    public const int MaxSamples = 1024;

    /// <summary>The count and the byte that says how times and values are coded.</summary>
    public const int HeaderBytes = 3;

    /// <summary>Appends the samples within the range.</summary>
    /// <exception cref="InvalidDataException">The chunk, or the time column it refers to, is damaged.</exception>
    public static void Decode(ReadOnlySpan<byte> chunk, TimeRange range, SampleBuffer into, TimeColumns columns)
    {
        into.NoteEncoded(chunk.Length);
        var header = Header.Read(chunk);
        var from = new DenseReader(chunk[header.Length..]);
        into.Reserve(header.Count, out var times, out var values);
        times = times[..header.Count];
        if (header.Times == TimeForm.Inline)
        {
            TimeColumn.Read(ref from, times);
        }
        else
        {
            columns.Copy(header, times);
        }

        var first = 0;
        var end = header.Count;
        if (times[0] < range.MinMs || times[^1] > range.MaxMs)
        {
            first = FirstFrom(times, range.MinMs);
            end = range.MaxMs == long.MaxValue ? end : FirstFrom(times, range.MaxMs + 1);
        }

        if (first >= end)
        {
            return;
        }

        DenseValues.Read(header.Values, from, values[..header.Count], first, end);
        if (first > 0)
        {
            times[first..end].CopyTo(times);
            values[first..end].CopyTo(values);
        }

        into.Advance(end - first);
    }

    /// <summary>The index of the first time that is no earlier.</summary>
    private static int FirstFrom(ReadOnlySpan<long> times, long timeMs)
    {
        var found = times.BinarySearch(timeMs);
        return found < 0 ? ~found : found;
    }

    /// <summary>Where the times of a chunk are.</summary>
    public enum TimeForm : byte
    {
        /// <summary>In the chunk.</summary>
        Inline = 0,

        /// <summary>A column's times, all of them.</summary>
        Whole = 1,

        /// <summary>A column's times from one on.</summary>
        Slice = 2,
    }

    /// <summary>What a chunk says of itself before its times and values.</summary>
    [StructLayout(LayoutKind.Auto)]
    public readonly record struct Header(int Count, TimeForm Times, ValueForm Values, long Distance, int Offset, int Length)
    {
        private const int ValueBits = 3;

        /// <summary>The most bytes of a header.</summary>
        public const int MaxBytes = HeaderBytes + (2 * Varint.MaxBytes);

        /// <summary>Reads the header of a chunk.</summary>
        /// <exception cref="InvalidDataException">The bytes are damaged.</exception>
        public static Header Read(ReadOnlySpan<byte> chunk)
        {
            if (!TryRead(chunk, out var header))
            {
                DenseReader.Throw($"{Convert.ToHexString(chunk[..Math.Min(chunk.Length, MaxBytes)])} is no head of a chunk");
            }

            return header;
        }

        /// <summary>Reads the header of a chunk; false when it is none.</summary>
        public static bool TryRead(ReadOnlySpan<byte> chunk, out Header header)
        {
            header = default;
            if (chunk.Length < HeaderBytes)
            {
                return false;
            }

            var count = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(chunk);
            var times = (TimeForm)(chunk[2] >> ValueBits);
            var values = (ValueForm)(chunk[2] & ((1 << ValueBits) - 1));
            var rest = chunk[HeaderBytes..];
            ulong distance = 0, offset = 0;
            if (count is 0 or > MaxSamples || times > TimeForm.Slice
                || (times != TimeForm.Inline && (!Varint.TryRead(ref rest, out distance) || distance is 0 or > int.MaxValue))
                || (times == TimeForm.Slice && (!Varint.TryRead(ref rest, out offset) || offset > (ulong)(MaxSamples - count))))
            {
                return false;
            }

            header = new Header(count, times, values, (long)distance, (int)offset, chunk.Length - rest.Length);
            return true;
        }

        /// <summary>Writes the header; returns its bytes.</summary>
        public int Write(Span<byte> to)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(to, (ushort)Count);
            to[2] = (byte)(((int)Times << ValueBits) | (int)Values);
            var at = HeaderBytes;
            if (Times != TimeForm.Inline)
            {
                at += Varint.Write(to[at..], (ulong)Distance);
            }

            if (Times == TimeForm.Slice)
            {
                at += Varint.Write(to[at..], (ulong)Offset);
            }

            return at;
        }
    }
}
