using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>A block that queries see: what the manifest says of it, and its reader once somebody has asked for it. Thread-safe.</summary>
/// <remarks>Counts who works with it; the list of live blocks is the first, and the reader is closed by whoever leaves last.</remarks>
/// <param name="described">What the manifest says.</param>
/// <param name="open">Opens it.</param>
/// <param name="within">Of a block that is shared with other shards, the hashes whose series are seen; everything for one that is not.</param>
internal sealed class LiveBlock(ManifestBlock described, Func<LiveBlock, BlockReader> open, HashRange within = default)
{
    private readonly Lock opening = new();
    private BlockReader? reader;
    private int users = 1;

    /// <summary>What the manifest says.</summary>
    public ManifestBlock Described { get; } = described;

    /// <summary>Only series with these hashes are seen.</summary>
    public HashRange Within { get; } = within;

    /// <summary>The block's name.</summary>
    public Ulid Ulid => Described.Meta.Ulid;

    /// <summary>Bytes of its files; of a block that is shared with other shards, as many as this shard has of its hashes.</summary>
    public long Bytes { get; } = described.Bytes >> Math.Max(0, within.Bits - described.HashRange.Bits);

    /// <summary>The time covered, both ends inclusive.</summary>
    public TimeRange Range => new(Described.Meta.MinTime, Described.Meta.MaxTime - 1);

    /// <summary>The reader, opened if need be; for those who have entered.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    /// <exception cref="IOException">It can't be read now.</exception>
    public BlockReader Reader()
    {
        lock (opening)
        {
            return reader ??= open(this);
        }
    }

    /// <summary>Closes the reader, to be opened again by the next who asks, unless somebody works with it; false then, or when it is not open.</summary>
    public bool TryClose()
    {
        // Never waits: who asks may be opening another block, and the one who opens this may be asking for that.
        if (!opening.TryEnter())
        {
            return false;
        }

        try
        {
            if (reader is null || Volatile.Read(ref users) > 1)
            {
                return false;
            }

            reader.Dispose();
            reader = null;
            return true;
        }
        finally
        {
            opening.Exit();
        }
    }

    /// <summary>Begins to work with the block. Only the list of live blocks calls this, while the block is on it.</summary>
    public void Enter() => Interlocked.Increment(ref users);

    /// <summary>Ends working with the block.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref users) == 0)
        {
            reader?.Dispose();
        }
    }
}

/// <summary>Live blocks as they were at one moment, open until this is disposed.</summary>
internal sealed class LiveBlocks(IReadOnlyList<LiveBlock> blocks) : IDisposable
{
    /// <summary>The blocks, by first instant.</summary>
    public IReadOnlyList<LiveBlock> Blocks => blocks;

    /// <summary>Lets go.</summary>
    public void Dispose()
    {
        foreach (var block in blocks)
        {
            block.Leave();
        }
    }
}
