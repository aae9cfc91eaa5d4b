using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Metrics.Storage;

/// <summary>An object of a store as a file: pages that were fetched once lie in a sparse local file, which is mapped. Thread-safe.</summary>
/// <remarks>
/// The index and chunk readers see what they see of a local block, and verify every section and chunk they read, so nothing read here is believed because it was cached. Neighbouring pages are
/// fetched with one request. The local file is removed when this is disposed.
/// </remarks>
internal sealed class CachedFile : IBlockFile
{
    /// <summary>The unit of fetching: what a request for one series' entry or chunk costs in bytes, and small beside what a round trip costs in time.</summary>
    public const int PageBytes = 32 * 1024;

    private const int MostPagesInRequest = 4 * 1024 * 1024 / PageBytes;

    private readonly string key;
    private readonly string path;
    private readonly RangeFetcher fetcher;
    private readonly Action<long> account;
    private readonly SemaphoreSlim filling = new(1, 1);
    private readonly SafeFileHandle file;
    private readonly MappedFile map;
    private readonly int[] present;
    private long heldBytes;
    private int disposed;

    /// <summary>Makes the empty local file.</summary>
    /// <param name="key">The object.</param>
    /// <param name="length">Its size, as the manifest says.</param>
    /// <param name="path">The local file, made anew.</param>
    /// <param name="fetcher">Reads the object.</param>
    /// <param name="account">Is told how many bytes more, or fewer, lie in the local file.</param>
    public CachedFile(string key, long length, string path, RangeFetcher fetcher, Action<long> account)
    {
        this.key = key;
        this.path = path;
        this.fetcher = fetcher;
        this.account = account;
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

        present = new int[((length + PageBytes - 1) / PageBytes / 32) + 1];
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
            Fill([new FileRange(offset, length)], CancellationToken.None);
        }

        return map.Range(offset, length);
    }

    /// <inheritdoc/>
    public void Prefetch(IReadOnlyList<FileRange> ranges, CancellationToken cancellation)
    {
        foreach (var range in ranges)
        {
            if (!IsPresent(range.Offset, Math.Min(range.Length, Length - range.Offset)))
            {
                Fill(ranges, cancellation);
                return;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            map.Dispose();
            file.Dispose();
            filling.Dispose();
            File.Delete(path);
            account(-heldBytes);
        }
    }

    // The callers are threads of the pool that evaluate queries, as many as queries are let in; waiting on one of them is what reading a slow disk would do too.
    private void Fill(IReadOnlyList<FileRange> ranges, CancellationToken cancellation) => FillAsync(ranges, cancellation).GetAwaiter().GetResult();

    private async Task FillAsync(IReadOnlyList<FileRange> ranges, CancellationToken cancellation)
    {
        // In turn, so that what two ask for is fetched once.
        await filling.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            await Task.WhenAll(Missing(ranges).ConvertAll(run => FetchAsync(run.First, run.Count, cancellation))).ConfigureAwait(false);
        }
        finally
        {
            filling.Release();
        }
    }

    private List<(long First, int Count)> Missing(IReadOnlyList<FileRange> ranges)
    {
        var runs = new List<(long First, int Count)>();
        long next = 0;
        foreach (var range in ranges)
        {
            var last = (Math.Min(range.End, Length) - 1) / PageBytes;
            for (var page = Math.Max(next, range.Offset / PageBytes); page <= last; page++)
            {
                next = page + 1;
                if (Has(page))
                {
                    continue;
                }

                if (runs.Count > 0 && runs[^1].First + runs[^1].Count == page && runs[^1].Count < MostPagesInRequest)
                {
                    runs[^1] = (runs[^1].First, runs[^1].Count + 1);
                }
                else
                {
                    runs.Add((page, 1));
                }
            }
        }

        return runs;
    }

    private async Task FetchAsync(long firstPage, int pages, CancellationToken cancellation)
    {
        var offset = firstPage * PageBytes;
        var range = new FileRange(offset, Math.Min((long)pages * PageBytes, Length - offset));
        var bytes = await fetcher.FetchAsync(key, range, cancellation).ConfigureAwait(false);
        try
        {
            RandomAccess.Write(file, bytes.AsSpan(0, (int)range.Length), offset);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }

        for (var page = firstPage; page < firstPage + pages; page++)
        {
            Interlocked.Or(ref present[page >> 5], 1 << (int)(page & 31));
        }

        Interlocked.Add(ref heldBytes, range.Length);
        account(range.Length);
    }

    private bool Has(long page) => (Volatile.Read(ref present[page >> 5]) & (1 << (int)(page & 31))) != 0;

    private bool IsPresent(long offset, long length)
    {
        for (var page = offset / PageBytes; page <= (offset + length - 1) / PageBytes; page++)
        {
            if (!Has(page))
            {
                return false;
            }
        }

        return true;
    }
}
