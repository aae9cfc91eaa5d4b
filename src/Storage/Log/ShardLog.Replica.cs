namespace Metrics.Storage;

/// <summary>What a log that is one replica of several needs beyond a log that is alone: frames in and out as they are, and an end that can be cut off.</summary>
public sealed partial class ShardLog
{
    private readonly LogFrameReader frameReader;

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

        return from < end ? frameReader.Read(from, end, maxBytes) : ([], 0);
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
        Flush(FlushEnd.Nothing);
        TakeTurn();
        try
        {
            tail.CutAt(number);
            lock (gate)
            {
                (nextRecord, pendingFirst, durable) = (number, number, number);
            }

            frameReader.Forget();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            Fail($"could not be cut at record {number}", e);
            throw failure!;
        }
        finally
        {
            EndTurn();
        }
    }

    /// <summary>Syncs the last segment, whatever the policy; those before it were synced when they ended. What is pending stays so.</summary>
    /// <exception cref="IOException">It can't be synced.</exception>
    public void SyncFile()
    {
        TakeTurn();
        try
        {
            tail.Force();
        }
        finally
        {
            EndTurn();
        }
    }

    /// <summary>Drops segments whose records are all below a number, and leaves no checkpoint: somebody else keeps what later records refer to.</summary>
    public void DropBefore(long number)
    {
        if (LogSegment.FirstNeeded(directory, number) is { } kept)
        {
            LogSegment.DeleteBefore(directory, kept, LogSegment.Extension);
        }
    }
}
