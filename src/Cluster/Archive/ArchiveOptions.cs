using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How blocks are kept for long.</summary>
public sealed record ArchiveOptions
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

    /// <summary>The most bytes of what was read of blocks in object storage that stay on the local disk. 10 GiB by default.</summary>
    public long CacheBytes { get; init; } = 10L * 1024 * 1024 * 1024;

    /// <summary>The most memory for the label names, values and series that blocks were asked for; 0 keeps none. 64 MiB by default: a thousand answers of a thousand values.</summary>
    public long LabelCacheBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>How floats are encoded in blocks that are cut or merged: <see cref="ChunkEncoding.Dense"/> by default, which a cut hardly notices; <see cref="ChunkEncoding.Xor"/> for those whose
    /// Prometheus or Thanos reads the bucket. Blocks of the other encoding stay as they are until they are merged.</summary>
    public ChunkEncoding FloatEncoding { get; init; } = ChunkEncoding.Dense;

    /// <summary>When blocks are merged.</summary>
    public CompactionOptions Compaction { get; init; } = new();

    /// <summary>When blocks of aggregates are made.</summary>
    public DownsamplingOptions Downsampling { get; init; } = new();

    /// <summary>The most series of a merged block, beyond which it is cut by hash range; an index takes about half a kilobyte for each while it is written. 4 million by default.</summary>
    public long MaxBlockSeries { get; init; } = 4_000_000;

    /// <summary>The most bytes of a merged block, beyond which it is cut by hash range. 64 GiB by default.</summary>
    public long MaxBlockBytes { get; init; } = 64L * 1024 * 1024 * 1024;

    /// <summary>Complaints, each naming key, value and what is allowed; none when all is well.</summary>
    internal IEnumerable<string?> Validate()
    {
        yield return FloatEncoding is ChunkEncoding.Dense or ChunkEncoding.Xor ? null : $"chunk-encoding is {(byte)FloatEncoding}, want {ChunkEncoding.Dense} or {ChunkEncoding.Xor}";
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
