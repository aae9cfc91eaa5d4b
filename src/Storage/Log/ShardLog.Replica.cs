using System.Buffers;
using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>What a log that is one replica of several needs beyond a log that is alone: frames in and out as they are, and an end that can be cut off.</summary>
public sealed partial class ShardLog
{
    private readonly Lock reading = new();
    private Place cursor;

    /// <summary>The lowest record held; <see cref="NextRecord"/> when none is.</summary>
    public long FirstRecord => LogSegment.Firsts(directory, LogSegment.Extension) is [var first, ..] ? first : NextRecord;

    /// <summary>Takes in records that were framed elsewhere; the caller has checked them (<see cref="LogFrames.Check"/>) against <see cref="NextRecord"/>. Not durable yet.</summary>
    /// <exception cref="LogException">The log failed earlier.</exception>
    public void AppendFrames(ReadOnlySpan<byte> frames, int count)
    {
        lock (gate)
        {
            ThrowIfFailed();
            Reserve(frames.Length);
            frames.CopyTo(pending.AsSpan(pendingBytes));
            pendingBytes += frames.Length;
            nextRecord += count;
        }
    }

    /// <summary>Drops record <paramref name="number"/> and all later ones, durably: that number is given to the next record. Nobody may append or wait meanwhile.</summary>
    /// <exception cref="IOException">It was not possible; the log takes no more records until it is opened again.</exception>
    public void TruncateFrom(long number)
    {
        if (number >= NextRecord)
        {
            return;
        }

        TakeTurn();
        Flush();
        TakeTurn();
        try
        {
            file?.Dispose();
            file = null;
            CutFiles(number);
            lock (gate)
            {
                (nextRecord, pendingFirst, durable) = (number, number, number);
            }

            lock (reading)
            {
                cursor = default;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            lock (gate)
            {
                failure ??= new LogException($"the log in {directory} could not be cut at record {number}: {e.Message}", e);
            }

            throw failure;
        }
        finally
        {
            lock (gate)
            {
                flushing = false;
            }
        }
    }

    /// <summary>Syncs the last segment, whatever the policy; those before it were synced when they ended.</summary>
    /// <exception cref="IOException">It can't be synced.</exception>
    public void SyncFile()
    {
        TakeTurn();
        try
        {
            if (fileFirst >= 0)
            {
                RandomAccess.FlushToDisk(OpenLast());
            }
        }
        finally
        {
            lock (gate)
            {
                flushing = false;
            }
        }
    }

    /// <summary>Drops segments whose records are all below a number, and leaves no checkpoint: somebody else keeps what later records refer to.</summary>
    public void DropBefore(long number)
    {
        var firsts = LogSegment.Firsts(directory, LogSegment.Extension);
        var kept = firsts.FindLastIndex(f => f <= number);
        if (kept <= 0)
        {
            return;
        }

        // Ascending, so that a crash leaves no hole.
        foreach (var first in firsts.Take(kept))
        {
            File.Delete(Path.Combine(directory, LogSegment.NameOf(first, LogSegment.Extension)));
        }

        DurableFile.FlushFolder(directory);
    }

    /// <summary>Reads durable records as frames, from one on: at least one record if there is any, then as many as fit. Reading on where the last call ended is cheap.</summary>
    /// <returns>The frames, checked, and how many records they are; none at the end.</returns>
    /// <exception cref="InvalidDataException">The bytes on disk are not those that were written.</exception>
    /// <exception cref="IOException">They can't be read, or the record is no longer held.</exception>
    public (byte[] Frames, int Count) ReadFrames(long from, int maxBytes)
    {
        long end;
        lock (gate)
        {
            end = durable;
        }

        if (from >= end)
        {
            return ([], 0);
        }

        lock (reading)
        {
            var place = PlaceOf(from);
            if (cursor.Path == place.Path && cursor.Record <= from)
            {
                place = place with { Record = cursor.Record, Offset = cursor.Offset };
            }

            var read = ReadAt(ref place, from, Math.Min(end, place.SegmentEnd), maxBytes);
            cursor = place;
            return (read, LogFrames.Check(read, from));
        }
    }

    private void CutFiles(long number)
    {
        (fileFirst, fileBytes) = (-1, 0);
        var firsts = LogSegment.Firsts(directory, LogSegment.Extension);
        for (var i = firsts.Count - 1; i >= 0; i--)
        {
            var path = Path.Combine(directory, LogSegment.NameOf(firsts[i], LogSegment.Extension));
            if (firsts[i] >= number)
            {
                File.Delete(path);
                continue;
            }

            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
            var length = OffsetOf(handle, firsts[i], number);
            RandomAccess.SetLength(handle, length);
            RandomAccess.FlushToDisk(handle);
            file = OpenSegment(path);
            (fileFirst, fileBytes) = (firsts[i], length);
            break;
        }

        DurableFile.FlushFolder(directory);
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
        return new Place(Path.Combine(directory, LogSegment.NameOf(firsts[index], LogSegment.Extension)), firsts[index], LogSegment.HeaderBytes, end);
    }

    private static byte[] ReadAt(ref Place place, long from, long end, int maxBytes)
    {
        using var handle = File.OpenHandle(place.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        place = place with { Offset = OffsetOf(handle, place.Record, from, place.Offset), Record = from };
        var frames = new ArrayBufferWriter<byte>();
        while (place.Record < end)
        {
            var length = FrameLength(handle, place);
            if (frames.WrittenCount > 0 && frames.WrittenCount + length > maxBytes)
            {
                break;
            }

            var into = frames.GetSpan(length)[..length];
            if (RandomAccess.Read(handle, into, place.Offset) < length)
            {
                throw new InvalidDataException($"{place.Path} ends inside record {place.Record}");
            }

            frames.Advance(length);
            place = place with { Record = place.Record + 1, Offset = place.Offset + length };
        }

        return frames.WrittenSpan.ToArray();
    }

    private static long OffsetOf(Microsoft.Win32.SafeHandles.SafeFileHandle handle, long first, long record, long offset = LogSegment.HeaderBytes)
    {
        for (var number = first; number < record; number++)
        {
            offset += FrameLength(handle, new Place("", number, offset, long.MaxValue));
        }

        return offset;
    }

    private static int FrameLength(Microsoft.Win32.SafeHandles.SafeFileHandle handle, Place place)
    {
        Span<byte> header = stackalloc byte[LogSegment.FrameHeaderBytes];
        var length = RandomAccess.Read(handle, header, place.Offset) < header.Length ? -1 : BinaryPrimitives.ReadInt32LittleEndian(header);
        return length is > 0 and <= LogSegment.MaxPayloadBytes
            ? LogSegment.FrameHeaderBytes + length
            : throw new InvalidDataException($"{place.Path}: the frame of record {place.Record} at {place.Offset} claims {length} bytes");
    }

    /// <summary>Where a record begins; the records of its segment end before <paramref name="SegmentEnd"/>.</summary>
    private readonly record struct Place(string Path, long Record, long Offset, long SegmentEnd);
}
