using Microsoft.Win32.SafeHandles;

namespace Metrics.Storage;

/// <summary>An object of a store as a file: pages that were fetched once lie in a sparse local file, which is mapped. Thread-safe.</summary>
/// <remarks>
/// <para>The index and chunk readers see what they see of a local block, and verify every section and chunk they read, so nothing read here is believed because it was cached; one that does not
/// verify is fetched once more (<see cref="Refetched"/>) before its block is called damaged. Neighbouring pages are fetched with one request, a page that several readers want once, and
/// misses that follow each other read further and further ahead. The local file is removed when this is disposed.</para>
/// <para>A span given out points into the map, so a page may go only while nobody reads the block. Dropping takes pages out of <c>present</c> first and asks then whether somebody reads; a reader
/// makes itself known first and looks at <c>present</c> then. Both are full fences, so one of the two sees the other: the reader comes to the gate and waits, or the pages are put
/// back.</para>
/// </remarks>
internal sealed partial class CachedFile : IBlockFile
{
    /// <summary>The unit of fetching: what a request for one series' entry or chunk costs in bytes, and small beside what a round trip costs in time.</summary>
    public const int PageBytes = 32 * 1024;

    /// <summary>Twice what fills an index; segments have half a gigabyte.</summary>
    private const long MostBytes = 1L << 37;

    private readonly string key;
    private readonly string path;
    private readonly RangeFetcher fetcher;
    private readonly CachedBlock block;
    private readonly SafeFileHandle file;
    private readonly MappedFile map;
    private readonly long pageCount;
    private readonly PageSet present;

    // When a page was read last, in the cache's time. Written by readers without a lock: any of two neighbouring times will do.
    private readonly long[] readAt;

    // Taken while pages come or go, never while waiting for the store.
    private readonly Lock gate = new();
    private readonly Dictionary<long, PageRun> inFlight = [];
    private readonly List<FileRange> kept = [];
    private long heldBytes;
    private long nextMiss;
    private int ahead;
    private bool disposed;

    /// <summary>Makes the empty local file.</summary>
    /// <param name="key">The object.</param>
    /// <param name="length">Its size, as the manifest says.</param>
    /// <param name="path">The local file, made anew.</param>
    /// <param name="fetcher">Reads the object.</param>
    /// <param name="block">Whose file it is.</param>
    public CachedFile(string key, long length, string path, RangeFetcher fetcher, CachedBlock block)
    {
        this.key = key;
        this.path = path;
        this.fetcher = fetcher;
        this.block = block;
        if (length is < 0 or > MostBytes)
        {
            BlockDamage.Throw(fetcher.NameOf(key), 0, $"a file of {length} bytes can't be part of a block");
        }

        file = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            RandomAccess.SetLength(file, length);
            map = new MappedFile(path, FileShare.ReadWrite);
        }
        catch
        {
            file.Dispose();
            File.Delete(path);
            throw;
        }

        pageCount = (length + PageBytes - 1) / PageBytes;
        present = new PageSet(pageCount);
        readAt = new long[pageCount];
    }

    /// <inheritdoc/>
    public string Name => fetcher.NameOf(key);

    /// <inheritdoc/>
    public long Length => map.Length;

    /// <inheritdoc/>
    public bool IsRemote => true;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Range(long offset, int length)
    {
        if (offset >= 0 && length > 0 && offset <= Length - length && !IsPresent(offset, length))
        {
            Fill([ReadAhead(new FileRange(offset, length))], length, ReadCancellation.Current);
        }

        return map.Range(offset, length);
    }

    /// <inheritdoc/>
    public void Prefetch(IReadOnlyList<FileRange> ranges, CancellationToken cancellation)
    {
        var missing = 0L;
        foreach (var range in ranges)
        {
            missing += IsPresent(range.Offset, Math.Min(range.Length, Length - range.Offset)) ? 0 : range.Length;
        }

        if (missing > 0)
        {
            Fill(ranges, missing, cancellation);
        }
    }

    /// <inheritdoc/>
    public void Keep(long offset, long length)
    {
        lock (gate)
        {
            kept.Add(new FileRange(offset, length));
        }
    }

    /// <inheritdoc/>
    public IRefetchedFile Refetched() => new RefetchedFile(this);

    /// <summary>Appends when each page that may go was read last.</summary>
    public void AddTimes(List<long> into)
    {
        if (!gate.TryEnter())
        {
            return;
        }

        try
        {
            for (var page = 0L; page < pageCount && heldBytes > 0; page++)
            {
                if (present.Has(page) && !IsKept(page))
                {
                    into.Add(Volatile.Read(ref readAt[page]));
                }
            }
        }
        finally
        {
            gate.Exit();
        }
    }

    /// <summary>Drops pages, unless somebody reads the block; returns the bytes that this freed.</summary>
    /// <param name="readBy">Pages read at this time or before may go.</param>
    /// <param name="enough">How many bytes will do.</param>
    public long Drop(long readBy, long enough)
    {
        if (!gate.TryEnter())
        {
            return 0; // Its pages are coming or going: it is in use.
        }

        try
        {
            if (disposed || heldBytes == 0)
            {
                return 0;
            }

            var runs = TakeOut(readBy, enough);
            var freed = 0L;
            foreach (var run in runs)
            {
                // Asked again for each run: who began to read since finds the gate closed only for as long as it takes to punch one hole.
                if (block.IsIdle && SparseFile.TryPunch(file, run.Offset, run.Length))
                {
                    freed += run.Length;
                }
                else
                {
                    PutBack(run);
                }
            }

            heldBytes -= freed;
            return freed;
        }
        finally
        {
            gate.Exit();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            if (disposed)
            {
                return;
            }

            disposed = true;
        }

        map.Dispose();
        file.Dispose();
        File.Delete(path);
        block.OnClosed(this, heldBytes);
    }

    private List<FileRange> TakeOut(long readBy, long enough)
    {
        var runs = new List<FileRange>();
        for (var page = 0L; page < pageCount && enough > 0; page++)
        {
            if (Volatile.Read(ref readAt[page]) > readBy || !present.Has(page) || IsKept(page))
            {
                continue;
            }

            present.Remove(page);
            var offset = page * PageBytes;
            var bytes = Math.Min(PageBytes, Length - offset);
            enough -= bytes;
            if (runs.Count > 0 && runs[^1].End == offset)
            {
                runs[^1] = runs[^1] with { Length = runs[^1].Length + bytes };
            }
            else
            {
                runs.Add(new FileRange(offset, bytes));
            }
        }

        return runs;
    }

    private void PutBack(FileRange run)
    {
        for (var page = run.Offset / PageBytes; page * PageBytes < run.End; page++)
        {
            present.Add(page);
        }
    }

    private bool IsKept(long page)
    {
        foreach (var range in kept)
        {
            if (page >= range.Offset / PageBytes && page * PageBytes < range.End)
            {
                return true;
            }
        }

        return false;
    }

    private bool IsPresent(long offset, long length)
    {
        var now = block.Now;
        for (var page = offset / PageBytes; page <= (offset + length - 1) / PageBytes; page++)
        {
            if (!present.Has(page))
            {
                return false;
            }

            if (Volatile.Read(ref readAt[page]) != now)
            {
                Volatile.Write(ref readAt[page], now);
            }
        }

        return true;
    }
}
