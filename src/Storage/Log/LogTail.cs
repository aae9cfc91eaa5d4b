using Metrics.Model;
using Microsoft.Win32.SafeHandles;

namespace Metrics.Storage;

/// <summary>The end of a log on disk: its last segment, which is written to, and synced as the policy says.</summary>
/// <remarks>Its log calls it from one thread at a time. Only the timer comes beside that, to sync what was written, and looks at no more than the file and the two marks.</remarks>
internal sealed class LogTail : IAsyncDisposable
{
    private readonly string directory;
    private readonly LogOptions options;
    private readonly Action<IOException> onSyncFailed;
    private readonly ITimer? syncTimer;
    private SafeFileHandle? file; // Null while the log rests, and when there is no segment.
    private long first = -1; // The segment's first record; negative when there is no segment.
    private long bytes;
    private int dirty;
    private int syncing;

    /// <summary>Takes over the end of a log.</summary>
    /// <param name="directory">Where the segments lie.</param>
    /// <param name="options">How to write.</param>
    /// <param name="time">The clock of the sync interval.</param>
    /// <param name="last">The last segment, if there is one.</param>
    /// <param name="onSyncFailed">Is told when a sync fails that nobody waits for.</param>
    public LogTail(string directory, LogOptions options, TimeProvider time, (long First, long Bytes)? last, Action<IOException> onSyncFailed)
    {
        this.directory = directory;
        this.options = options;
        this.onSyncFailed = onSyncFailed;
        if (last is { } segment)
        {
            (first, bytes) = segment;
            file = OpenSegment(first);
        }

        if (options.Fsync == FsyncPolicy.Interval)
        {
            syncTimer = time.CreateTimer(static state => ((LogTail)state!).SyncByTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Writes frames, the first of which is of record <paramref name="number"/>, into a new segment when the last one is full.</summary>
    public void Write(ReadOnlySpan<byte> frames, long number)
    {
        if (first < 0 || bytes >= options.SegmentBytes)
        {
            BeginSegment(number);
        }

        var to = Open();
        RandomAccess.Write(to, frames, bytes);
        bytes += frames.Length;
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

    /// <summary>Ends the segment, if it has records; the next one begins with record <paramref name="next"/>.</summary>
    public void EndSegment(long next)
    {
        if (bytes > LogSegment.HeaderBytes)
        {
            BeginSegment(next);
        }
    }

    /// <summary>Syncs the segment, whatever the policy; those before it were synced when they ended.</summary>
    public void Force()
    {
        if (first >= 0)
        {
            RandomAccess.FlushToDisk(Open());
        }
    }

    /// <summary>Closes the file, synced, until something is written again.</summary>
    public void Rest()
    {
        SyncWritten();
        Close();
    }

    /// <summary>Drops record <paramref name="number"/> and all later ones, durably.</summary>
    public void CutAt(long number)
    {
        Close();
        (first, bytes) = (-1, 0);
        var firsts = LogSegment.Firsts(directory, LogSegment.Extension);
        for (var i = firsts.Count - 1; i >= 0 && first < 0; i--)
        {
            if (firsts[i] >= number)
            {
                File.Delete(LogSegment.PathOf(directory, firsts[i]));
                continue;
            }

            file = OpenSegment(firsts[i]);
            var length = LogFrameReader.OffsetOf(file, LogSegment.PathOf(directory, firsts[i]), firsts[i], LogSegment.HeaderBytes, number);
            RandomAccess.SetLength(file, length);
            RandomAccess.FlushToDisk(file);
            (first, bytes) = (firsts[i], length);
        }

        DurableFile.FlushFolder(directory);
    }

    /// <summary>Syncs what was written, and closes.</summary>
    /// <exception cref="IOException">It can't be synced; it is closed all the same.</exception>
    public async ValueTask DisposeAsync()
    {
        if (syncTimer is not null)
        {
            await syncTimer.DisposeAsync();
        }

        try
        {
            SyncWritten();
        }
        finally
        {
            Close();
        }
    }

    private SafeFileHandle OpenSegment(long number) => File.OpenHandle(LogSegment.PathOf(directory, number), FileMode.Open, FileAccess.ReadWrite, FileShare.Read);

    /// <summary>The file of the segment, which there is; opened again after a rest.</summary>
    private SafeFileHandle Open()
    {
        if (file is { } open)
        {
            return open;
        }

        var opened = OpenSegment(first);
        if (RandomAccess.GetLength(opened) is var length && length != bytes)
        {
            opened.Dispose();
            throw new IOException($"{LogSegment.PathOf(directory, first)} has {length} bytes, and had {bytes} when it was closed");
        }

        file = opened;
        return opened;
    }

    private void Close()
    {
        file?.Dispose();
        file = null;
    }

    private void BeginSegment(long number)
    {
        Rest();
        Span<byte> header = stackalloc byte[LogSegment.HeaderBytes];
        LogSegment.WriteHeader(header, number);
        file = File.OpenHandle(LogSegment.PathOf(directory, number), FileMode.Create, FileAccess.ReadWrite, FileShare.Read);
        RandomAccess.Write(file, header, 0);
        (first, bytes) = (number, header.Length);
        if (options.Fsync != FsyncPolicy.Never)
        {
            RandomAccess.FlushToDisk(file);
            DurableFile.FlushFolder(directory);
        }
    }

    private void SyncWritten()
    {
        if (file is null || options.Fsync == FsyncPolicy.Never)
        {
            return;
        }

        // Without the mark, a sync may still be under way.
        if (Interlocked.Exchange(ref dirty, 0) != 0 || Volatile.Read(ref syncing) != 0)
        {
            RandomAccess.FlushToDisk(file);
        }
    }

    private void SyncByTimer()
    {
        Interlocked.Exchange(ref syncing, 1);

        // Before the file is looked at: what is written to the one that follows it sets the mark again.
        if (Interlocked.Exchange(ref dirty, 0) != 0 && Volatile.Read(ref file) is { IsClosed: false } handle)
        {
            Sync(handle);
        }

        // Who wrote meanwhile left it to us to set the timer: a slow disk has no second sync of a log while the first one lasts.
        Interlocked.Exchange(ref syncing, 0);
        if (Volatile.Read(ref dirty) != 0)
        {
            syncTimer?.Change(options.FsyncInterval, Timeout.InfiniteTimeSpan);
        }
    }

    private void Sync(SafeFileHandle handle)
    {
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
            onSyncFailed(e);
        }
    }
}
