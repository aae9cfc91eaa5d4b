using System.Collections.Concurrent;

namespace Metrics.Cluster;

/// <summary>The series that the heads of one tenant's shards hold, held against the tenant's bounds: exact over all shards of this process, and at once. Thread-safe.</summary>
/// <remarks>
/// A shard takes a place before it makes a series, so that two shards at the limit can't both make the last one; known series take none and are never held up. What a head gives up,
/// its shard settles under the lock that it appends under.
/// </remarks>
internal sealed class ActiveSeries(Func<SeriesLimits> limits)
{
    private readonly ConcurrentDictionary<string, long> metrics = new(StringComparer.Ordinal);
    private long total;

    /// <summary>Series over all shards.</summary>
    public long Total => Volatile.Read(ref total);

    /// <summary>The bounds now.</summary>
    public SeriesLimits Limits => limits();

    /// <summary>True when no series can be made.</summary>
    public bool IsFull => limits() is { MaxSeries: > 0 and var most } && Total >= most;

    /// <summary>The part of one shard; to be settled to nothing when its store closes.</summary>
    public ActiveSeriesPart NewPart() => new(this);

    /// <summary>Takes a place for a series.</summary>
    internal bool TryTake(long most)
    {
        if (Interlocked.Increment(ref total) <= most || most == 0)
        {
            return true;
        }

        Interlocked.Decrement(ref total);
        return false;
    }

    internal void Change(long by) => Interlocked.Add(ref total, by);

    /// <summary>Takes a place for a series of a metric.</summary>
    internal bool TryTake(string metric, long most)
    {
        if (metrics.AddOrUpdate(metric, 1, static (_, count) => count + 1) <= most)
        {
            return true;
        }

        Change(metric, -1);
        return false;
    }

    internal void Change(string metric, long by)
    {
        if (metrics.AddOrUpdate(metric, static (_, change) => change, static (_, count, change) => count + change, by) == 0)
        {
            // Unless somebody has counted one since.
            metrics.TryRemove(new KeyValuePair<string, long>(metric, 0));
        }
    }
}
