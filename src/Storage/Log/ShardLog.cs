namespace Metrics.Storage;

/// <summary>The log could not be written; it takes no more records until it is opened again.</summary>
public sealed class LogException(string message, Exception? cause = null) : IOException(message, cause);

/// <summary>The log of one shard: segmented, checksummed, with group commit.</summary>
/// <remarks>
/// <see cref="Append"/> copies a record into memory; <see cref="WaitDurableAsync"/> completes when it is durable as the policy says. The first who waits writes for all that
/// appended until then, on its own thread and with one write; those who come meanwhile are written together next. So there is no hand-over between threads when one sender
/// waits, and one write and one sync for many when many do.
/// Append is for one thread at a time; waiting is for any.
/// </remarks>
public sealed partial class ShardLog : IAsyncDisposable
{
    private const int BufferBytesMin = 4096;

    private readonly string directory;
    private readonly LogTail tail; // The flusher's own, while flushing is set.
    private readonly Lock gate = new();
    private readonly List<(long Number, TaskCompletionSource Done)> waiters = [];

    // Guarded by gate.
    private byte[] pending = []; // Grows with what is appended between two writes, and is given back by Rest.
    private int pendingBytes;
    private long pendingFirst;
    private byte[] writing = [];
    private long nextRecord;
    private long durable; // Records below this are durable.
    private bool flushing;
    private bool disposed;
    private LogException? failure;

    private ShardLog(string directory, LogOptions options, TimeProvider time, long nextRecord, (long First, long Bytes)? last)
    {
        this.directory = directory;
        this.nextRecord = nextRecord;
        pendingFirst = nextRecord;
        durable = nextRecord;
        frameReader = new LogFrameReader(directory);

        // After a failed sync the kernel may have dropped the pages: what was acknowledged since the last one is in doubt, and nothing more may be.
        tail = new LogTail(directory, options, time, last, e => Fail("could not be synced", e));
    }

    /// <summary>The number that the next record will have.</summary>
    public long NextRecord
    {
        get
        {
            lock (gate)
            {
                return nextRecord;
            }
        }
    }

    /// <summary>Bytes of all segments.</summary>
    public long Bytes => Directory.Exists(directory) ? new DirectoryInfo(directory).EnumerateFiles("*" + LogSegment.Extension).Sum(f => f.Length) : 0;

    /// <summary>Takes a record in; returns its number. It is not durable yet.</summary>
    /// <exception cref="LogException">The log failed earlier.</exception>
    public long Append(ReadOnlySpan<byte> payload)
    {
        ArgumentOutOfRangeException.ThrowIfZero(payload.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, LogSegment.MaxPayloadBytes);
        lock (gate)
        {
            ThrowIfFailed();
            Reserve(LogSegment.FrameHeaderBytes + payload.Length);
            pendingBytes += LogSegment.WriteFrame(pending.AsSpan(pendingBytes), nextRecord, payload);
            return nextRecord++;
        }
    }

    /// <summary>Completes when all records below <paramref name="number"/> + 1 are durable.</summary>
    /// <exception cref="LogException">They could not be written.</exception>
    public ValueTask WaitDurableAsync(long number)
    {
        Task? wait = null;
        lock (gate)
        {
            if (number < durable)
            {
                return ValueTask.CompletedTask;
            }

            ThrowIfFailed();
            if (flushing)
            {
                var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                waiters.Add((number, done));
                wait = done.Task;
            }
            else
            {
                flushing = true;
            }
        }

        if (wait is not null)
        {
            return new ValueTask(wait);
        }

        FlushOrThrow(FlushEnd.Nothing);

        return ValueTask.CompletedTask;
    }

    /// <summary>Forces what was written to the disk now, whatever the policy says. Waits for writes under way.</summary>
    /// <exception cref="LogException">The log could not be written.</exception>
    public void Sync()
    {
        TakeTurn();
        FlushOrThrow(FlushEnd.Sync);
    }

    /// <summary>Ends the segment, so that truncation can drop it. Waits for writes under way.</summary>
    /// <exception cref="LogException">The log could not be written.</exception>
    public void Rotate()
    {
        TakeTurn();
        FlushOrThrow(FlushEnd.BeginSegment);
    }

    /// <summary>Closes the file, synced, and gives memory back, until something is written again: for a log that nobody has written to for a while. Everything goes on working. Does nothing while records are being written.</summary>
    /// <exception cref="LogException">The log could not be written.</exception>
    public void Rest()
    {
        lock (gate)
        {
            if (flushing || disposed || failure is not null)
            {
                return;
            }

            flushing = true;
        }

        FlushOrThrow(FlushEnd.Rest);
    }

    /// <summary>Deletes segments whose records are all below a number, after writing a checkpoint of what later records refer to.</summary>
    /// <param name="number">Records from this on are needed.</param>
    /// <param name="writeSeries">Writes the checkpoint's records.</param>
    /// <returns>True when there was anything to delete.</returns>
    public bool TruncateBefore(long number, Action<LogCheckpointWriter> writeSeries)
    {
        if (LogSegment.FirstNeeded(directory, number) is not { } kept)
        {
            return false;
        }

        LogCheckpointWriter.Write(directory, kept, writeSeries);
        LogSegment.DeleteBefore(directory, kept, LogSegment.Extension, LogSegment.CheckpointExtension);
        return true;
    }

    /// <summary>The first records of all segments, ascending: what <see cref="TruncateBefore"/> can cut at.</summary>
    public IReadOnlyList<long> SegmentStarts() => LogSegment.Firsts(directory, LogSegment.Extension);

    /// <summary>Writes and syncs what is pending, and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            if (disposed)
            {
                return;
            }

            disposed = true;
        }

        try
        {
            if (failure is null && nextRecord > 0)
            {
                await WaitDurableAsync(nextRecord - 1);
            }
        }
        finally
        {
            TakeTurn();
            await CloseTailAsync();
        }
    }

    private async ValueTask CloseTailAsync()
    {
        try
        {
            await tail.DisposeAsync();
        }
        catch (IOException) when (failure is not null)
        {
            return; // Its owner has been told.
        }
        finally
        {
            Fail("is closed", cause: null);
            EndTurn();
        }
    }

    private void FlushOrThrow(FlushEnd then)
    {
        Flush(then);
        lock (gate)
        {
            ThrowIfFailed();
        }
    }

    /// <summary>Writes what is pending until nothing is; called by whoever set <see cref="flushing"/>. Behind the first write does what else was asked for.</summary>
    private void Flush(FlushEnd then)
    {
        while (true)
        {
            int length;
            long first, end;
            lock (gate)
            {
                (pending, writing) = (writing, pending);
                (length, pendingBytes) = (pendingBytes, 0);
                (first, end) = (pendingFirst, nextRecord);
                pendingFirst = nextRecord;
            }

            var isWritten = true;
            if (length > 0 || then != FlushEnd.Nothing)
            {
                try
                {
                    if (length > 0)
                    {
                        tail.Write(writing.AsSpan(0, length), first);
                    }

                    End(then, end);
                    then = FlushEnd.Nothing;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    isWritten = false;
                    Fail("could not be written", e);
                }
            }

            if (Complete(end, isWritten))
            {
                return;
            }
        }
    }

    /// <summary>Makes room behind what is pending; called under <see cref="gate"/>.</summary>
    private void Reserve(int bytes)
    {
        var need = pendingBytes + bytes;
        if (need > pending.Length)
        {
            Array.Resize(ref pending, Math.Max(need, Math.Max(BufferBytesMin, pending.Length * 2)));
        }
    }

    private void End(FlushEnd then, long end)
    {
        switch (then)
        {
            case FlushEnd.BeginSegment:
                tail.EndSegment(end);
                break;
            case FlushEnd.Sync:
                tail.Force();
                break;
            case FlushEnd.Rest:
                tail.Rest();
                writing = [];
                lock (gate)
                {
                    pending = pendingBytes == 0 ? [] : pending;
                }

                break;
        }
    }

    /// <summary>Tells who waits; true when there is nothing more to write and the turn is over.</summary>
    private bool Complete(long end, bool isWritten)
    {
        List<TaskCompletionSource>? done = null;
        bool over;
        lock (gate)
        {
            if (isWritten)
            {
                durable = end;
            }

            for (var i = waiters.Count - 1; i >= 0; i--)
            {
                if (failure is not null || waiters[i].Number < durable)
                {
                    (done ??= []).Add(waiters[i].Done);
                    waiters.RemoveAt(i);
                }
            }

            // Someone who only appended will come and wait by himself; only waiters make us go on.
            over = waiters.Count == 0 || failure is not null;
            flushing = !over;
        }

        foreach (var waiter in done ?? [])
        {
            if (failure is null)
            {
                waiter.SetResult();
            }
            else
            {
                waiter.SetException(failure);
            }
        }

        return over;
    }

    private void TakeTurn()
    {
        var wait = default(SpinWait);
        while (true)
        {
            lock (gate)
            {
                if (!flushing)
                {
                    flushing = true;
                    return;
                }
            }

            wait.SpinOnce();
        }
    }

    private void EndTurn()
    {
        lock (gate)
        {
            flushing = false;
        }
    }

    /// <summary>Notes why nothing can be taken any more; the first reason stays.</summary>
    private void Fail(string what, Exception? cause)
    {
        lock (gate)
        {
            failure ??= new LogException(cause is null ? $"the log in {directory} {what}" : $"the log in {directory} {what}: {cause.Message}", cause);
        }
    }

    private void ThrowIfFailed()
    {
        if (failure is not null)
        {
            throw failure;
        }
    }

    /// <summary>What a flush does besides writing.</summary>
    private enum FlushEnd
    {
        Nothing,
        BeginSegment,
        Sync,
        Rest,
    }
}
