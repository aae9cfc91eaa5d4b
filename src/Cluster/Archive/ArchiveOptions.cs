using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How blocks are kept for long.</summary>
public sealed class ArchiveOptions
{
    /// <summary>How often each shard's archive is worked on: 1 s to 1 h. Default 30 s: a block is published within that of its cut.</summary>
    public TimeSpan WorkEvery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the objects of a block that compaction replaced or retention dropped stay: 0 to 30 days. Default 30 min, for the longest query that may still read it on another machine.</summary>
    public TimeSpan DeleteDelay { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How old an upload that never became a live block must be before its objects are removed: 0 to 30 days. Default 24 h, beyond what any upload takes.</summary>
    public TimeSpan OrphanGrace { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How often unfinished uploads are looked for. Default 1 h.</summary>
    public TimeSpan SweepEvery { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long blocks are kept.</summary>
    public RetentionOptions Retention { get; init; } = new();

    /// <summary>When blocks are merged.</summary>
    public CompactionOptions Compaction { get; init; } = new();

    /// <summary>The most series of a merged block, beyond which it is cut by hash range; an index takes about half a kilobyte for each while it is written. 4 million by default.</summary>
    public long MaxBlockSeries { get; init; } = 4_000_000;

    /// <summary>The most bytes of a merged block, beyond which it is cut by hash range. 64 GiB by default.</summary>
    public long MaxBlockBytes { get; init; } = 64L * 1024 * 1024 * 1024;

    /// <summary>Complaints, each naming key, value and what is allowed; none when all is well.</summary>
    internal IEnumerable<string?> Validate()
    {
        var month = TimeSpan.FromDays(30);
        yield return StorageOptions.Check("archive-every", WorkEvery, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        yield return StorageOptions.Check("delete-delay", DeleteDelay, TimeSpan.Zero, month);
        yield return StorageOptions.Check("orphan-grace", OrphanGrace, TimeSpan.Zero, month);
        yield return StorageOptions.Check("sweep-every", SweepEvery, TimeSpan.Zero, month);
        foreach (var (key, age) in new[] { ("retention", Retention.Raw), ("retention-5m", Retention.FiveMinutes), ("retention-1h", Retention.OneHour) })
        {
            yield return age is { } kept ? StorageOptions.Check(key, kept, TimeSpan.FromMinutes(1), TimeSpan.MaxValue) : null;
        }
    }
}

/// <summary>Opens published blocks, wherever their bytes are.</summary>
internal interface IBlockOpener
{
    /// <summary>Opens a block.</summary>
    /// <param name="prefix">Its folder in the store, ending in a slash.</param>
    /// <param name="block">What the manifest says of it.</param>
    /// <exception cref="InvalidDataException">It is damaged, or not there.</exception>
    /// <exception cref="IOException">It can't be read now.</exception>
    BlockReader Open(string prefix, ManifestBlock block);
}

/// <summary>What the archives of all shards of a process share.</summary>
/// <param name="Store">Where blocks go.</param>
/// <param name="Opener">How they are read from there.</param>
/// <param name="Options">How they are kept.</param>
/// <param name="Time">The clock.</param>
internal sealed record ArchiveServices(IObjectStore Store, IBlockOpener Opener, ArchiveOptions Options, TimeProvider Time);

/// <summary>Opens blocks of a store that is a local folder: its files are mapped where they lie.</summary>
internal sealed class LocalBlockOpener(IObjectStore store) : IBlockOpener
{
    /// <inheritdoc/>
    public BlockReader Open(string prefix, ManifestBlock block) =>
        BlockReader.Open(Path.GetDirectoryName(store.LocalPath(prefix + BlockMeta.FileName)) ?? throw new InvalidOperationException($"{store.Name} is no local folder"));
}
