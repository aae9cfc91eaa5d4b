using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What a shard does, for whoever decides about splits and merges.</summary>
/// <param name="Shard">Which.</param>
/// <param name="HeadSeries">Series in its head.</param>
/// <param name="SamplesPerSecond">Samples it takes, averaged (<see cref="SteadyRates"/>).</param>
/// <param name="Observed">For how long it was observed.</param>
public readonly record struct ShardFigures(ShardId Shard, long HeadSeries, double SamplesPerSecond, TimeSpan Observed);

/// <summary>A split or a merge to be done.</summary>
/// <param name="Shard">The shard to split; or one of two to merge.</param>
/// <param name="IsSplit">Which of the two.</param>
public readonly record struct ReshardingStep(ShardId Shard, bool IsSplit);

/// <summary>Which shard to split or to merge: one of a tenant at a time, seen anew after each. Pure.</summary>
public static class ReshardingChoice
{
    /// <summary>What the figures of a tenant's shards ask for: the split of the one furthest beyond its bounds, else the merge of the two neighbours that do least; or null.</summary>
    /// <param name="shards">The shards that are open, of one tenant; those that are closed for want of calls cost nothing and are left as they are.</param>
    /// <param name="options">The bounds.</param>
    /// <param name="leastBits">Ranges are not merged into ones of fewer bits: those that a new tenant begins with.</param>
    public static ReshardingStep? Of(IReadOnlyCollection<ShardFigures> shards, ReshardingOptions options, int leastBits)
    {
        var (split, most) = (default(ShardFigures), 1.0);
        foreach (var shard in shards)
        {
            var excess = Excess(shard, options);
            if (excess > most && shard.Shard.Range.Bits < ReshardingOptions.MaxBits)
            {
                (split, most) = (shard, excess);
            }
        }

        return most > 1 ? new ReshardingStep(split.Shard, IsSplit: true)
            : options.MergeAfter > TimeSpan.Zero && options.SplitSeries + options.SplitSamplesPerSecond > 0 ? Coldest(shards, options, leastBits)
            : null;
    }

    /// <summary>True when the tenant's map has been as it is for long enough.</summary>
    public static bool IsDue(ReshardingStep step, ShardMap map, ReshardingOptions options, DateTimeOffset now) =>
        (map.Change is not { } other || now - other.At >= options.GivenUpAfter)
        && map.Has(step.Shard.Range)
        && (step.IsSplit ? map.Ranges.Count < ShardMap.MaxShards : map.Has(Sibling(step.Shard.Range)))
        && (map.ChangedAt is not { } at || now - at >= (step.IsSplit ? options.SplitAfter : options.MergeAfter));

    /// <summary>How far beyond its bounds a shard is, 1 being at one of them. A rate counts once it was averaged over its time.</summary>
    private static double Excess(ShardFigures shard, ReshardingOptions options) => Math.Max(
        options.SplitSeries > 0 ? (double)shard.HeadSeries / options.SplitSeries : 0,
        options.SplitSamplesPerSecond > 0 && shard.Observed >= options.RateOver ? shard.SamplesPerSecond / options.SplitSamplesPerSecond : 0);

    private static ReshardingStep? Coldest(IReadOnlyCollection<ShardFigures> shards, ReshardingOptions options, int leastBits)
    {
        var byRange = new Dictionary<HashRange, ShardFigures>();
        foreach (var shard in shards)
        {
            byRange[shard.Shard.Range] = shard;
        }

        var (coldest, least) = (default(ReshardingStep?), ReshardingOptions.MergeShare);
        foreach (var (range, low) in byRange)
        {
            if (range.Bits <= leastBits || (range.Prefix & 1) != 0 || !byRange.TryGetValue(Sibling(range), out var high) || low.Observed < options.MergeAfter || high.Observed < options.MergeAfter)
            {
                continue;
            }

            var both = new ShardFigures(low.Shard, low.HeadSeries + high.HeadSeries, low.SamplesPerSecond + high.SamplesPerSecond, low.Observed);
            var excess = Excess(both, options);
            if (excess < least)
            {
                (coldest, least) = (new ReshardingStep(low.Shard, IsSplit: false), excess);
            }
        }

        return coldest;
    }

    private static HashRange Sibling(HashRange range) => range.Bits == 0 ? range : range with { Prefix = range.Prefix ^ 1 };
}
