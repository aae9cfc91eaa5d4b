using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Metrics.Storage;

/// <summary>Reads a log's records as the frames that lie on disk. Reading on where the last call ended is cheap. Thread-safe.</summary>
internal sealed class LogFrameReader(string directory)
{
    private readonly Lock reading = new();
    private Place cursor;

    /// <summary>Reads records from one on and below <paramref name="end"/>: at least one, then as many of its segment as fit.</summary>
    /// <exception cref="InvalidDataException">The bytes on disk are not those that were written.</exception>
    /// <exception cref="IOException">They can't be read, or the record is no longer held.</exception>
    public (byte[] Frames, int Count) Read(long from, long end, int maxBytes)
    {
        lock (reading)
        {
            var place = PlaceOf(from);
            if (cursor.Segment == place.Segment && cursor.Record <= from)
            {
                place = place with { Record = cursor.Record, Offset = cursor.Offset };
            }

            var read = ReadAt(ref place, from, Math.Min(end, place.SegmentEnd), maxBytes);
            cursor = place;
            return (read, LogFrames.Check(read, from));
        }
    }

    /// <summary>Forgets where the last call ended, since files were changed.</summary>
    public void Forget()
    {
        lock (reading)
        {
            cursor = default;
        }
    }

    /// <summary>Where a record begins in a segment, found by stepping over those before it.</summary>
    /// <param name="handle">The segment's file.</param>
    /// <param name="path">Its path, to be named in an error.</param>
    /// <param name="number">A record at or before the one looked for.</param>
    /// <param name="offset">Where that one begins.</param>
    /// <param name="record">The record looked for.</param>
    /// <exception cref="InvalidDataException">A frame on the way is none.</exception>
    public static long OffsetOf(SafeFileHandle handle, string path, long number, long offset, long record)
    {
        for (; number < record; number++)
        {
            offset += FrameLength(handle, path, number, offset);
        }

        return offset;
    }

    private Place PlaceOf(long record)
    {
        var firsts = LogSegment.Firsts(directory, LogSegment.Extension);
        var index = firsts.FindLastIndex(f => f <= record);
        if (index < 0)
        {
            throw new IOException($"the log in {directory} no longer holds record {record}");
        }

        var end = index + 1 < firsts.Count ? firsts[index + 1] : long.MaxValue;
        return new Place(LogSegment.PathOf(directory, firsts[index]), firsts[index], LogSegment.HeaderBytes, end);
    }

    private static byte[] ReadAt(ref Place place, long from, long end, int maxBytes)
    {
        using var handle = File.OpenHandle(place.Segment, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        place = place with { Offset = OffsetOf(handle, place.Segment, place.Record, place.Offset, from), Record = from };
        var frames = new ArrayBufferWriter<byte>();
        while (place.Record < end)
        {
            var length = FrameLength(handle, place.Segment, place.Record, place.Offset);
            if (frames.WrittenCount > 0 && frames.WrittenCount + length > maxBytes)
            {
                break;
            }

            var into = frames.GetSpan(length)[..length];
            if (RandomAccess.Read(handle, into, place.Offset) < length)
            {
                throw new InvalidDataException($"{place.Segment} ends inside record {place.Record}");
            }

            frames.Advance(length);
            place = place with { Record = place.Record + 1, Offset = place.Offset + length };
        }

        return frames.WrittenSpan.ToArray();
    }

    private static int FrameLength(SafeFileHandle handle, string path, long record, long offset)
    {
        Span<byte> header = stackalloc byte[LogSegment.FrameHeaderBytes];
        var length = RandomAccess.Read(handle, header, offset) < header.Length ? -1 : BinaryPrimitives.ReadInt32LittleEndian(header);
        return length is > 0 and <= LogSegment.MaxPayloadBytes
            ? LogSegment.FrameHeaderBytes + length
            : throw new InvalidDataException($"{path}: the frame of record {record} at {offset} claims {length} bytes");
    }

    /// <summary>Where a record begins in its segment, whose records end before <paramref name="SegmentEnd"/>.</summary>
    private readonly record struct Place(string Segment, long Record, long Offset, long SegmentEnd);
}
