using Metrics.ObjectStore;

namespace Metrics.Storage;

/// <summary>How blocks in object storage are read.</summary>
public sealed record BlockCacheOptions
{
    /// <summary>Where fetched pages lie; emptied when the cache is opened.</summary>
    public required string Folder { get; init; }

    /// <summary>The most bytes of pages on disk, beside what running queries hold. 10 GiB by default.</summary>
    public long MaxBytes { get; init; } = 10L * 1024 * 1024 * 1024;

    /// <summary>Requests in flight. 32 by default: one connection does about 50 MB/s against S3, and 32 fill a 10 Gbit/s link.</summary>
    public int MaxRequests { get; init; } = 32;

    /// <summary>How long the first requests may take until they are sent again beside. 1 s by default; later it is twice the slowest twentieth of the recent ones.</summary>
    public TimeSpan FirstHedge { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The least that a request may take until it is sent again beside. 50 ms by default, so that a fast store is not asked twice for noise.</summary>
    public TimeSpan LeastHedge { get; init; } = TimeSpan.FromMilliseconds(50);
}

/// <summary>Opens blocks that lie in object storage, and keeps what was read of them on the local disk. Thread-safe.</summary>
/// <remarks>
/// Begins empty: pages of an earlier life might belong to a block that was written anew, and fetching what is asked for again takes a few requests. Pages go when their block is closed; who opened the
/// blocks closes those least lately used while <see cref="IsOver"/>.
/// </remarks>
public sealed class BlockCache : IDisposable
{
    private readonly BlockCacheOptions options;
    private readonly RangeFetcher fetcher;
    private long heldBytes;
    private long files;

    /// <summary>Opens the cache over an empty folder.</summary>
    /// <exception cref="IOException">The folder can't be emptied or made.</exception>
    public BlockCache(IObjectStore store, BlockCacheOptions options, TimeProvider time)
    {
        this.options = options;
        fetcher = new RangeFetcher(store, options, time);
        if (Directory.Exists(options.Folder))
        {
            Directory.Delete(options.Folder, recursive: true);
        }

        Directory.CreateDirectory(options.Folder);
    }

    /// <summary>Bytes of pages on disk.</summary>
    public long HeldBytes => Interlocked.Read(ref heldBytes);

    /// <summary>True when more lies on disk than should.</summary>
    public bool IsOver => HeldBytes > options.MaxBytes;

    /// <summary>Requests sent to the store so far.</summary>
    public long Requests => fetcher.Requests;

    /// <summary>Of those, requests sent because another took long.</summary>
    public long HedgedRequests => fetcher.Hedged;

    /// <summary>Bytes asked of the store so far.</summary>
    public long RequestedBytes => fetcher.Bytes;

    /// <summary>Opens a block: fetches the ends of its index, and the symbols and the postings offset table.</summary>
    /// <param name="prefix">The block's folder in the store, ending in a slash.</param>
    /// <param name="meta">What is known of it.</param>
    /// <param name="sizes">The size of each of its files.</param>
    /// <exception cref="InvalidDataException">The block is damaged, or not there.</exception>
    /// <exception cref="IOException">The store or the local disk failed.</exception>
    public BlockReader Open(string prefix, BlockMeta meta, IReadOnlyDictionary<string, long> sizes) => BlockReader.Open(meta, new RemoteFiles(this, prefix, sizes), fetcher.NameOf(prefix));

    /// <summary>Ends the cache; open blocks are to be closed before.</summary>
    public void Dispose() => fetcher.Dispose();

    private sealed class RemoteFiles(BlockCache cache, string prefix, IReadOnlyDictionary<string, long> sizes) : IBlockFiles
    {
        public string NameOf(string path) => cache.fetcher.NameOf(prefix + path);

        public IBlockFile? Open(string path)
        {
            if (!sizes.TryGetValue(path, out var length))
            {
                return null;
            }

            var local = Path.Combine(cache.options.Folder, $"{Interlocked.Increment(ref cache.files)}.pages");
            return new CachedFile(prefix + path, length, local, cache.fetcher, change => Interlocked.Add(ref cache.heldBytes, change));
        }
    }
}
