using System.Buffers.Binary;

namespace Metrics.Storage;

/// <summary>Runs of log records as the log stores them, frame after frame (FORMAT.md), so that what one machine wrote another can check and append as it is.</summary>
/// <remarks>A frame does not carry its record's number, but its checksum covers it: frames at another place than theirs are no frames.</remarks>
public static class LogFrames
{
    /// <summary>Bytes of a frame before its payload.</summary>
    public const int HeaderBytes = LogSegment.FrameHeaderBytes;

    /// <summary>The largest payload.</summary>
    public const int MaxPayloadBytes = LogSegment.MaxPayloadBytes;

    /// <summary>Writes the frame of a record; returns its length.</summary>
    public static int Write(Span<byte> into, long number, ReadOnlySpan<byte> payload) => LogSegment.WriteFrame(into, number, payload);

    /// <summary>Counts the records in a run that begins with record <paramref name="first"/>, checking each.</summary>
    /// <exception cref="InvalidDataException">A frame is cut off, or its checksum is wrong.</exception>
    public static int Check(ReadOnlySpan<byte> frames, long first)
    {
        var number = first;
        while (!frames.IsEmpty)
        {
            var length = Length(frames, number);
            if (LogSegment.Checksum(number, frames[HeaderBytes..length]) != BinaryPrimitives.ReadUInt32LittleEndian(frames[4..]))
            {
                throw new InvalidDataException($"the checksum of record {number} is wrong");
            }

            frames = frames[length..];
            number++;
        }

        return checked((int)(number - first));
    }

    /// <summary>Where the record <paramref name="count"/> places after the first begins.</summary>
    /// <exception cref="InvalidDataException">There are fewer.</exception>
    public static int OffsetOf(ReadOnlySpan<byte> frames, int count)
    {
        var at = 0;
        for (var i = 0; i < count; i++)
        {
            at += Length(frames[at..], i);
        }

        return at;
    }

    /// <summary>Steps over one record; false at the end. Frames are those that <see cref="Check"/> has passed.</summary>
    public static bool TryNext(ref ReadOnlySpan<byte> frames, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        if (frames.IsEmpty)
        {
            return false;
        }

        var length = Length(frames, 0);
        payload = frames[HeaderBytes..length];
        frames = frames[length..];
        return true;
    }

    private static int Length(ReadOnlySpan<byte> frames, long number)
    {
        var payload = frames.Length < HeaderBytes ? -1 : BinaryPrimitives.ReadInt32LittleEndian(frames);
        return payload is > 0 and <= MaxPayloadBytes && payload <= frames.Length - HeaderBytes
            ? HeaderBytes + payload
            : throw new InvalidDataException($"the frame of record {number} claims {payload} bytes, {frames.Length} are left");
    }
}
