using Metrics.Model;

namespace Metrics.Storage;

/// <summary>A block to be merged, and what is deleted of it beside its own tombstones.</summary>
/// <param name="Block">The block; the caller keeps it open.</param>
/// <param name="Deletions">Samples that are not to come along.</param>
public sealed record MergeInput(BlockReader Block, IReadOnlyList<MergeDeletion> Deletions);

/// <summary>Samples of the series that satisfy all matchers, in a range.</summary>
/// <param name="Matchers">Which series.</param>
/// <param name="Range">Which samples.</param>
public sealed record MergeDeletion(IReadOnlyList<Matcher> Matchers, TimeRange Range);

/// <summary>What a merge is to make.</summary>
public sealed record MergeRequest
{
    /// <summary>Where the blocks appear, each under its name.</summary>
    public required string Directory { get; init; }

    /// <summary>The clock that names blocks.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Only series whose hash lies here: a shard's range when a foreign block is brought in.</summary>
    public HashRange HashRange { get; init; } = HashRange.Everything;

    /// <summary>Only samples in this range.</summary>
    public TimeRange Range { get; init; } = TimeRange.All;

    /// <summary>What the blocks are told about themselves. Its compaction section is filled in; its times are those of the inputs when absent.</summary>
    public BlockDescription Description { get; init; } = new();

    /// <summary>The most series of a block, beyond which the hash range is cut in halves: at most, for what is shared by inputs counts for each. 4 million by default, an index of about 2 GiB.</summary>
    public long MaxSeries { get; init; } = 4_000_000;

    /// <summary>The most bytes of a block, beyond which the hash range is cut in halves. 64 GiB by default.</summary>
    public long MaxBytes { get; init; } = 64L * 1024 * 1024 * 1024;

    /// <summary>Samples of a chunk that is encoded anew. 120 is Prometheus's.</summary>
    public int ChunkSamples { get; init; } = 120;
}
