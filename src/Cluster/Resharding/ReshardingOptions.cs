namespace Metrics.Cluster;

/// <summary>When shards are split and merged.</summary>
public sealed record ReshardingOptions
{
    /// <summary>The longest prefix of a shard's range.</summary>
    internal const int MaxBits = 16;

    /// <summary>A merge must leave so much room: what two shards have together may be this share of what splits one. At a quarter, series and samples must double twice before the merged shard splits again.</summary>
    internal const double MergeShare = 0.25;

    /// <summary>A shard whose head has more series is split: 0 (never) or 1000 and more. Default 2 million: about two GiB of head, and some seconds for each cut of it.</summary>
    public long SplitSeries { get; init; } = 2_000_000;

    /// <summary>A shard that takes more samples a second, over <see cref="RateOver"/>, is split: 0 (never) or 100 and more. Default 300,000: half of what one processor takes, so that queries and compaction have the other.</summary>
    public double SplitSamplesPerSecond { get; init; } = 300_000;

    /// <summary>Two neighbours that do little are merged when they have been so, and the tenant's map as it is, for so long; zero for never, at most 30 days. Default 1 h: a shard that was split begins with an empty head, and must not
    /// look cold for that.</summary>
    public TimeSpan MergeAfter { get; init; } = TimeSpan.FromHours(1);

    /// <summary>A tenant's shards are split one after another, with so much time between two: until then the children's figures say little. Default 5 min.</summary>
    public TimeSpan SplitAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Over how much time samples a second are averaged. Default 5 min, so that a burst splits nothing.</summary>
    public TimeSpan RateOver { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How often shards are looked at. Default 30 s; zero for never: then only who asks splits and merges.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long parents may take to put their heads into blocks and these into object storage. Default 10 min; only the last seconds of it refuse writes.</summary>
    public TimeSpan SealTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>A change that was announced and not decided for so long is given up by whoever wants another. Default 30 min, more than any takes.</summary>
    public TimeSpan GivenUpAfter { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Complaints, each naming key, value and what is allowed; none when all is well.</summary>
    internal IEnumerable<string?> Validate()
    {
        yield return SplitSeries is 0 or >= 1000 ? null : $"split-series: got {SplitSeries}, want 0 or 1000 and more";
        yield return SplitSamplesPerSecond is 0 or >= 100 ? null : FormattableString.Invariant($"split-samples-per-second: got {SplitSamplesPerSecond}, want 0 or 100 and more");
        yield return StorageOptions.Check("merge-after", MergeAfter, TimeSpan.Zero, TimeSpan.FromDays(30));
        yield return StorageOptions.Check("split-after", SplitAfter, TimeSpan.Zero, TimeSpan.FromDays(1));
        yield return StorageOptions.Check("rate-over", RateOver, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        yield return StorageOptions.Check("reshard-every", Every, TimeSpan.Zero, TimeSpan.FromDays(1));
        yield return StorageOptions.Check("seal-timeout", SealTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        yield return StorageOptions.Check("given-up-after", GivenUpAfter, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
    }
}
