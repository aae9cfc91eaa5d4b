using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Samples a second of shards, averaged with weights that fade over a time: a burst shows little, and what was long ago not at all. Not thread-safe.</summary>
/// <remarks>An exponential moving average, divided by the weight that has been given so far, so that a shard just seen does not look idle.</remarks>
/// <param name="over">The time after which a weight has faded to 1/e.</param>
/// <param name="time">The clock.</param>
internal sealed class SteadyRates(TimeSpan over, TimeProvider time)
{
    private Dictionary<ShardId, Rate> rates = [];

    /// <summary>Looks at the shards there are; those that are missing are forgotten.</summary>
    /// <param name="shards">Each with the samples that it has taken since it was opened.</param>
    public void Look(IEnumerable<(ShardId Shard, long Samples)> shards)
    {
        var now = time.GetTimestamp();
        var next = new Dictionary<ShardId, Rate>();
        foreach (var (shard, samples) in shards)
        {
            if (!rates.TryGetValue(shard, out var before))
            {
                next[shard] = new Rate(now, now, samples, 0);
                continue;
            }

            var seconds = time.GetElapsedTime(before.LookedAt, now).TotalSeconds;
            if (seconds <= 0)
            {
                next[shard] = before;
                continue;
            }

            // Fewer than before: it was opened again in between.
            var taken = samples >= before.Samples ? samples - before.Samples : samples;
            var fading = Math.Exp(-seconds / over.TotalSeconds);
            next[shard] = before with { LookedAt = now, Samples = samples, Average = (before.Average * fading) + (taken / seconds * (1 - fading)) };
        }

        rates = next;
    }

    /// <summary>What a shard takes, and for how long it was looked at; zeros for one that was not.</summary>
    public (double SamplesPerSecond, TimeSpan Observed) Of(ShardId shard)
    {
        if (!rates.TryGetValue(shard, out var rate))
        {
            return default;
        }

        var observed = time.GetElapsedTime(rate.Since, rate.LookedAt);
        var weight = 1 - Math.Exp(-observed.TotalSeconds / over.TotalSeconds);
        return (weight > 0 ? rate.Average / weight : 0, observed);
    }

    private readonly record struct Rate(long Since, long LookedAt, long Samples, double Average);
}
