using System.Runtime.InteropServices;
using Metrics.Model;
using Microsoft.Win32.SafeHandles;

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
    private readonly LogOptions options;
    private readonly ITimer? syncTimer;
    private readonly Lock gate = new();
    private readonly List<(long Number, TaskCompletionSource Done)> waiters = [];

    // Guarded by gate.
    private byte[] pending = []; // Grows with what is appended between two writes, and is given back by Rest.
    private int pendingBytes;
    private byte[] writing = [];
    private long nextRecord;
    private long durable; // Records below this are durable.
    private bool flushing;
    private bool disposed;
    private LogException? failure;

    // The flusher's own, while flushing is set; the sync timer only reads the handle.
    private SafeFileHandle? file; // Of the last segment; null while the log rests.
    private long fileFirst = -1; // That segment's first record; negative when there is no segment.
    private long fileBytes;
    private long pendingFirst;
    private int dirty;
    private int syncing;

    private ShardLog(string directory, LogOptions options, TimeProvider time, long nextRecord, Recovered last)
    {
        this.directory = directory;
        this.options = options;
        this.nextRecord = nextRecord;
        pendingFirst = nextRecord;
        durable = nextRecord;
        if (last.Path is not null)
        {
            file = OpenSegment(last.Path);
            (fileFirst, fileBytes) = (last.First, last.Length);
        }

        if (options.Fsync == FsyncPolicy.Interval)
        {
            syncTimer = time.CreateTimer(static state => ((ShardLog)state!).SyncIfDirty(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
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

        Flush();
        lock (gate)
        {
            ThrowIfFailed();
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Forces what was written to the disk now, whatever the policy says. Waits for writes under way.</summary>
    /// <exception cref="LogException">The log could not be written.</exception>
    public void Sync()
    {
        TakeTurn();
        Flush(then: FlushEnd.Sync);
        lock (gate)
        {
            ThrowIfFailed();
        }
    }

    /// <summary>Ends the segment, so that truncation can drop it. Waits for writes under way.</summary>
    /// <exception cref="LogException">The log could not be written.</exception>
    public void Rotate()
    {
        TakeTurn();
        Flush(then: FlushEnd.BeginSegment);
        lock (gate)
        {
            ThrowIfFailed();
        }
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

        Flush(then: FlushEnd.Rest);
        lock (gate)
        {
            ThrowIfFailed();
        }
    }

    /// <summary>Deletes segments whose records are all below a number, after writing a checkpoint of what later records refer to.</summary>
    /// <param name="number">Records from this on are needed.</param>
    /// <param name="writeSeries">Writes the checkpoint's records.</param>
    /// <returns>True when there was anything to delete.</returns>
    public bool TruncateBefore(long number, Action<LogCheckpointWriter> writeSeries)
    {
        var firsts = LogSegment.Firsts(directory, LogSegment.Extension);
        var kept = firsts.FindLastIndex(f => f <= number);
        if (kept <= 0)
        {
            return false;
        }

        LogCheckpointWriter.Write(directory, firsts[kept], writeSeries);
        foreach (var first in firsts.Take(kept))
        {
            File.Delete(Path.Combine(directory, LogSegment.NameOf(first, LogSegment.Extension)));
        }

        foreach (var old in LogSegment.Firsts(directory, LogSegment.CheckpointExtension).Where(f => f < firsts[kept]))
        {
            File.Delete(Path.Combine(directory, LogSegment.NameOf(old, LogSegment.CheckpointExtension)));
        }

        DurableFile.FlushFolder(directory);
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
            if (syncTimer is not null)
            {
                await syncTimer.DisposeAsync();
            }

            TakeTurn();
            Sync(ignoreFailure: failure is not null);
            file?.Dispose();
            file = null;
            ReleaseTurn();
        }
    }

    /// <summary>Writes what is pending until nothing is; called by whoever set <see cref="flushing"/>. Behind the first write does what else was asked for.</summary>
    private void Flush(FlushEnd then = FlushEnd.Nothing)
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

            LogException? failed = null;
            if (length > 0 || then != FlushEnd.Nothing)
            {
                try
                {
                    if (length > 0)
                    {
                        Write(writing.AsSpan(0, length), first);
                    }

                    End(then, end);
                    then = FlushEnd.Nothing;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    failed = new LogException($"the log in {directory} could not be written: {e.Message}", e);
                }
            }

            if (Complete(end, failed))
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
            case FlushEnd.BeginSegment when fileBytes > LogSegment.HeaderBytes:
                BeginSegment(end);
                break;
            case FlushEnd.Sync when fileFirst >= 0:
                RandomAccess.FlushToDisk(OpenLast());
                break;
            case FlushEnd.Rest:
                CloseLast();
                writing = [];
                lock (gate)
                {
                    pending = pendingBytes == 0 ? [] : pending;
                }

                break;
        }
    }

    /// <summary>Tells who waits; true when there is nothing more to write and the turn is over.</summary>
    private bool Complete(long end, LogException? failed)
    {
        List<TaskCompletionSource>? done = null;
        bool over;
        lock (gate)
        {
            if (failed is null)
            {
                durable = end;
            }

            failure ??= failed;
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

    private void Write(ReadOnlySpan<byte> frames, long first)
    {
        if (fileFirst < 0 || fileBytes >= options.SegmentBytes)
        {
            BeginSegment(first);
        }

        var to = OpenLast();
        RandomAccess.Write(to, frames, fileBytes);
        fileBytes += frames.Length;
        if (options.Fsync == FsyncPolicy.Always)
        {
            RandomAccess.FlushToDisk(to);
        }
        else if (Interlocked.Exchange(ref dirty, 1) == 0 && Volatile.Read(ref syncing) == 0)
        {
            // Armed by the first write after a sync, so that an idle log costs nothing.
            syncTimer?.Change(options.FsyncInterval, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The file of the last segment, which there is; opened again after a rest.</summary>
    private SafeFileHandle OpenLast()
    {
        if (file is { } open)
        {
            return open;
        }

        var path = Path.Combine(directory, LogSegment.NameOf(fileFirst, LogSegment.Extension));
        var opened = OpenSegment(path);
        if (RandomAccess.GetLength(opened) is var length && length != fileBytes)
        {
            opened.Dispose();
            throw new IOException($"{path} has {length} bytes, and had {fileBytes} when it was closed");
        }

        file = opened;
        return opened;
    }

    private void CloseLast()
    {
        Sync(ignoreFailure: false);
        file?.Dispose();
        file = null;
    }

    private static SafeFileHandle OpenSegment(string path) => File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);

    private void BeginSegment(long first)
    {
        CloseLast();
        Span<byte> header = stackalloc byte[LogSegment.HeaderBytes];
        LogSegment.WriteHeader(header, first);
        file = File.OpenHandle(Path.Combine(directory, LogSegment.NameOf(first, LogSegment.Extension)), FileMode.Create, FileAccess.ReadWrite, FileShare.Read);
        RandomAccess.Write(file, header, 0);
        (fileFirst, fileBytes) = (first, header.Length);
        if (options.Fsync != FsyncPolicy.Never)
        {
            RandomAccess.FlushToDisk(file);
            DurableFile.FlushFolder(directory);
        }
    }

    private void SyncIfDirty()
    {
        Interlocked.Exchange(ref syncing, 1);
        SyncFileIfDirty();

        // Who wrote meanwhile left it to us to set the timer: a slow disk has no second sync of a log while the first one lasts.
        Interlocked.Exchange(ref syncing, 0);
        if (Volatile.Read(ref dirty) != 0)
        {
            syncTimer?.Change(options.FsyncInterval, Timeout.InfiniteTimeSpan);
        }
    }

    private void SyncFileIfDirty()
    {
        lock (gate)
        {
            if (disposed)
            {
                return;
            }
        }

        // Before the file is looked at: what is written to the one that follows it sets the mark again.
        if (Interlocked.Exchange(ref dirty, 0) == 0 || Volatile.Read(ref file) is not { IsClosed: false } handle)
        {
            return;
        }

        try
        {
            RandomAccess.FlushToDisk(handle);
        }
        catch (ObjectDisposedException)
        {
            return; // The segment was closed, and synced, meanwhile.
        }
        catch (IOException e)
        {
            // After a failed sync the kernel may have dropped the pages: what was acknowledged since the last one is in doubt, and nothing more may be.
            lock (gate)
            {
                failure ??= new LogException($"the log in {directory} could not be synced: {e.Message}", e);
            }
        }
    }

    private void Sync(bool ignoreFailure)
    {
        if (file is null || options.Fsync == FsyncPolicy.Never)
        {
            return;
        }

        // Without the mark, a sync may still be under way.
        if (Interlocked.Exchange(ref dirty, 0) == 0 && Volatile.Read(ref syncing) == 0)
        {
            return;
        }

        try
        {
            RandomAccess.FlushToDisk(file);
        }
        catch (IOException) when (ignoreFailure)
        {
            return; // The log has failed already, and its owner has been told.
        }
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

    private void ReleaseTurn()
    {
        lock (gate)
        {
            flushing = false;
            failure ??= new LogException($"the log in {directory} is closed");
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

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Recovered(string? Path, long First, long Length);
}
