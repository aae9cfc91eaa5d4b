using Metrics.ObjectStore;

namespace Metrics.Storage;

/// <summary>Opens blocks that lie in object storage, and keeps what was read of them on the local disk. Thread-safe.</summary>
/// <remarks>
/// <para>Begins empty: pages of an earlier life might belong to a block that was written anew, and fetching what is asked for again takes a few requests.</para>
/// <para>When more lies on disk than should, a tenth of it goes: of blocks that nobody reads at the moment, the pages least lately read. Symbols and the postings offset table stay as long as their block is open, since they were verified once for all; who opened the blocks closes
/// some while <see cref="IsOver"/>. What running queries and merges hold stays until they end.</para>
/// </remarks>
public sealed class BlockCache : IDisposable
{
    private readonly BlockCacheOptions options;
    private readonly Lock gate = new();
    private readonly List<CachedBlock> open = [];
    private long heldBytes;
    private long files;
    private long now;
    private int sweeping;

    /// <summary>Opens the cache over an empty folder.</summary>
    /// <exception cref="IOException">The folder can't be emptied or made.</exception>
    public BlockCache(IObjectStore store, BlockCacheOptions options, TimeProvider time)
    {
        this.options = options;
        Fetcher = new RangeFetcher(store, options, Instruments, time);
        if (Directory.Exists(options.Folder))
        {
            Directory.Delete(options.Folder, recursive: true);
        }

        Directory.CreateDirectory(options.Folder);
    }

    /// <summary>What reading has cost so far.</summary>
    public BlockCacheInstruments Instruments { get; } = new();

    /// <summary>Bytes of pages on disk.</summary>
    public long HeldBytes => Interlocked.Read(ref heldBytes);

    /// <summary>Blocks that are open.</summary>
    public int OpenBlocks
    {
        get
        {
            lock (gate)
            {
                return open.Count;
            }
        }
    }

    /// <summary>True when more lies on disk, or is open, than should: time to close blocks.</summary>
    public bool IsOver => HeldBytes > options.MaxBytes || OpenBlocks >= options.MaxOpenBlocks;

    /// <summary>Requests sent to the store so far.</summary>
    public long Requests => Instruments.Requests;

    /// <summary>Of those, requests sent because another took long.</summary>
    public long HedgedRequests => Instruments.HedgedRequests;

    /// <summary>Bytes asked of the store so far.</summary>
    public long RequestedBytes => Instruments.RequestedBytes;

    /// <summary>Reads the store.</summary>
    internal RangeFetcher Fetcher { get; }

    /// <summary>Opens a block: fetches the ends of its index, and the symbols and the postings offset table.</summary>
    /// <param name="prefix">The block's folder in the store, ending in a slash.</param>
    /// <param name="meta">What is known of it.</param>
    /// <param name="sizes">The size of each of its files.</param>
    /// <exception cref="InvalidDataException">The block is damaged, or not there, at the second look too.</exception>
    /// <exception cref="IOException">The store or the local disk failed.</exception>
    public BlockReader Open(string prefix, BlockMeta meta, IReadOnlyDictionary<string, long> sizes)
    {
        try
        {
            return OpenOnce(prefix, meta, sizes);
        }
        catch (InvalidDataException)
        {
            // What came over the wire or from the disk may be wrong where the object is right. The failed block took its pages along.
            return OpenOnce(prefix, meta, sizes);
        }
    }

    /// <summary>Ends the cache; open blocks are to be closed before.</summary>
    public void Dispose() => Fetcher.Dispose();

    internal string NewPath() => Path.Combine(options.Folder, $"{Interlocked.Increment(ref files)}.pages");

    /// <summary>How often somebody wanted what was not there: the time by which pages age.</summary>
    internal long Now => Interlocked.Read(ref now);

    internal void OnMiss() => Interlocked.Increment(ref now);

    internal void OnHeld(long change) => Interlocked.Add(ref heldBytes, change);

    internal void OnClosed(CachedBlock block)
    {
        lock (gate)
        {
            open.Remove(block);
        }
    }

    /// <summary>Drops pages of idle blocks until a tenth less than the limit is left, or nothing more can go.</summary>
    internal void MakeRoom()
    {
        if (HeldBytes <= options.MaxBytes || Interlocked.Exchange(ref sweeping, 1) != 0)
        {
            return;
        }

        try
        {
            CachedBlock[] blocks;
            lock (gate)
            {
                blocks = [.. open];
            }

            var few = options.MaxBytes - (options.MaxBytes / 10);
            var times = new List<long>();
            Array.ForEach(blocks, b => b.AddTimes(times));
            if (times.Count == 0)
            {
                return;
            }

            times.Sort();
            var readBy = times[(int)Math.Clamp((HeldBytes - few) / CachedFile.PageBytes, 0, times.Count - 1)];
            foreach (var block in blocks)
            {
                if (HeldBytes > few)
                {
                    var freed = block.Drop(readBy, HeldBytes - few);
                    OnHeld(-freed);
                    Instruments.OnEvicted(freed);
                }
            }
        }
        finally
        {
            Volatile.Write(ref sweeping, 0);
        }
    }

    private BlockReader OpenOnce(string prefix, BlockMeta meta, IReadOnlyDictionary<string, long> sizes)
    {
        var block = new CachedBlock(this, prefix, sizes);
        var reader = BlockReader.Open(meta, block, Fetcher.NameOf(prefix));
        block.OnOpened(reader);
        lock (gate)
        {
            open.Add(block);
        }

        return reader;
    }
}
