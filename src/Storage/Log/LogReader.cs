using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Metrics.Storage;

/// <summary>Why the reading of a segment stopped.</summary>
internal enum SegmentEnd
{
    /// <summary>At the end of the file.</summary>
    Whole,

    /// <summary>Inside a frame that the file's end cuts off, or at zeros to the end.</summary>
    Torn,

    /// <summary>At bytes that were never written so.</summary>
    Damaged,
}

/// <summary>What was found in a segment: records up to <paramref name="NextRecord"/>, good bytes up to <paramref name="Length"/>.</summary>
internal readonly record struct SegmentScan(SegmentEnd End, long NextRecord, long Length, string What);

/// <summary>Reads segments from beginning to end, in bounded memory.</summary>
internal static class LogReader
{
    private const int BufferBytes = 1024 * 1024;

    /// <summary>Shows the records of one file to a visitor; <paramref name="position"/> grows by the bytes read.</summary>
    public static SegmentScan Scan(string path, long first, ILogVisitor visitor, ref long position)
    {
        using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var length = RandomAccess.GetLength(file);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            return Scan(file, length, first, visitor, ref position, ref buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static SegmentScan Scan(SafeFileHandle file, long length, long first, ILogVisitor visitor, ref long position, ref byte[] buffer)
    {
        if (length < LogSegment.HeaderBytes)
        {
            return new(SegmentEnd.Torn, first, 0, "the header is cut off");
        }

        RandomAccess.Read(file, buffer.AsSpan(0, LogSegment.HeaderBytes), 0);
        if (LogSegment.CheckHeader(buffer, first) is { } wrong)
        {
            var zeros = IsZero(file, 0, length, buffer);
            return new(zeros ? SegmentEnd.Torn : SegmentEnd.Damaged, first, 0, wrong);
        }

        position += LogSegment.HeaderBytes;
        var number = first;
        long at = LogSegment.HeaderBytes; // In the file, of buffer[0].
        var filled = 0;
        var used = 0;
        while (true)
        {
            var rest = length - at - used;
            if (rest == 0)
            {
                return new(SegmentEnd.Whole, number, length, "");
            }

            if (rest < LogSegment.FrameHeaderBytes)
            {
                return new(SegmentEnd.Torn, number, at + used, $"{rest} bytes of a frame header at {at + used}");
            }

            Fill(file, LogSegment.FrameHeaderBytes, ref buffer, ref at, ref filled, ref used);
            var payloadLength = BinaryPrimitives.ReadInt32LittleEndian(buffer.AsSpan(used));
            var checksum = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(used + 4));
            if (payloadLength is <= 0 or > LogSegment.MaxPayloadBytes)
            {
                var zeros = IsZero(file, at + used, length, new byte[4096]);
                return new(zeros ? SegmentEnd.Torn : SegmentEnd.Damaged, number, at + used, $"a frame at {at + used} claims {payloadLength} bytes");
            }

            var frame = LogSegment.FrameHeaderBytes + payloadLength;
            if (frame > rest)
            {
                return new(SegmentEnd.Torn, number, at + used, $"a frame of {frame} bytes at {at + used}, of which {rest} are there");
            }

            Fill(file, frame, ref buffer, ref at, ref filled, ref used);
            var payload = buffer.AsSpan(used + LogSegment.FrameHeaderBytes, payloadLength);
            if (LogSegment.Checksum(number, payload) != checksum)
            {
                return new(SegmentEnd.Damaged, number, at + used, $"the checksum of record {number} at {at + used} is wrong");
            }

            used += frame;
            position += frame;
            visitor.Visit(number, payload, position);
            number++;
        }
    }

    /// <summary>Makes <paramref name="need"/> bytes available at the cursor; the caller knows that the file has them.</summary>
    private static void Fill(SafeFileHandle file, int need, ref byte[] buffer, ref long at, ref int filled, ref int used)
    {
        if (filled - used >= need)
        {
            return;
        }

        if (need > buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(need);
            buffer.AsSpan(used, filled - used).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }
        else
        {
            buffer.AsSpan(used, filled - used).CopyTo(buffer);
        }

        at += used;
        filled -= used;
        used = 0;
        while (filled < need)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(filled), at + filled);
            if (read == 0)
            {
                throw new IOException($"the file ended at {at + filled} while it was read");
            }

            filled += read;
        }
    }

    private static bool IsZero(SafeFileHandle file, long from, long to, byte[] buffer)
    {
        while (from < to)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, to - from)), from);
            if (read == 0 || buffer.AsSpan(0, read).ContainsAnyExcept((byte)0))
            {
                return read == 0;
            }

            from += read;
        }

        return true;
    }
}
