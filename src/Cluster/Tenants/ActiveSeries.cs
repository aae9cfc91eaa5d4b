using System.Collections.Concurrent;

namespace Metrics.Cluster;

/// <summary>The series that the heads of one tenant's shards hold, held against the tenant's bounds: exact over all shards of this process, and at once. Thread-safe.</summary>
/// <remarks>
/// A shard takes a place before it makes a series, so that two shards at the limit can't both make the last one; known series take none and are never held up. What a head gives up,
/// its shard settles under the lock that it appends under. Where other processes have shards of the tenant too, they share the places (<see cref="SeriesPlaces"/>); those of single metrics are each process's own.
/// </remarks>
/// <param name="limits">The bounds now.</param>
/// <param name="shared">The places that are shared with other processes; null when this one has all shards.</param>
internal sealed class ActiveSeries(Func<SeriesLimits> limits, SeriesPlaces? shared = null)
{
    private readonly ConcurrentDictionary<string, long> metrics = new(StringComparer.Ordinal);
    private long total;
    private long samples;

    /// <summary>Series over all shards.</summary>
    public long Total => shared?.Used ?? Volatile.Read(ref total);

    /// <summary>True when places are shared: then they are to be reserved before a batch is taken.</summary>
    public bool IsShared => shared is not null;

    /// <summary>Samples appended to any of the tenant's shards in this process since its start, whatever became of the shard.</summary>
    public long Samples => Interlocked.Read(ref samples);

    /// <summary>The bounds now.</summary>
    public SeriesLimits Limits => limits();

    /// <summary>True when no series can be made.</summary>
    public bool IsFull => limits() is { MaxSeries: > 0 and var most } && (shared?.IsFull ?? Total >= most);

    /// <summary>The part of one shard; to be settled to nothing when its store closes.</summary>
    public ActiveSeriesPart NewPart() => new(this);

    /// <summary>A shard has appended samples.</summary>
    public void OnAppended(int count) => Interlocked.Add(ref samples, count);

    /// <summary>Sees to places for so many series before they are taken; what of them was not made is to be released afterwards.</summary>
    public ValueTask ReserveAsync(int series) => shared!.ReserveAsync(series, limits().MaxSeries);

    /// <summary>So many of what was reserved were not made.</summary>
    public void Release(int series) => shared!.Release(series);

    /// <summary>Gives places back that are not used; what there is else.</summary>
    public SeriesHolding Reclaim(long since) => shared?.Reclaim(since) ?? new SeriesHolding(Total, Total, 0);

    /// <summary>Takes a place for a series.</summary>
    internal bool TryTake(long most)
    {
        if (shared is not null)
        {
            return shared.TryTake(most);
        }

        if (Interlocked.Increment(ref total) <= most || most == 0)
        {
            return true;
        }

        Interlocked.Decrement(ref total);
        return false;
    }

    /// <summary>Gives a place back that was just taken.</summary>
    internal void Return()
    {
        if (shared is null)
        {
            Interlocked.Decrement(ref total);
        }
        else
        {
            shared.Return();
        }
    }

    /// <summary>Series were given up.</summary>
    internal void Change(long by)
    {
        if (shared is null)
        {
            Interlocked.Add(ref total, by);
        }
        else
        {
            shared.Change(by);
        }
    }

    /// <summary>Series came with a shard, or went with it.</summary>
    internal void Carry(long by)
    {
        if (shared is null)
        {
            Interlocked.Add(ref total, by);
        }
        else
        {
            shared.Carry(by);
        }
    }

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
