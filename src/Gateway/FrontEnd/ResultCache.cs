using Metrics.Model;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Names what is cached of one part of a query.</summary>
/// <param name="Tenant">Whose data.</param>
/// <param name="Query">The query and whatever its result depends on besides the steps.</param>
/// <param name="Part">Which part of time.</param>
internal readonly record struct CacheKey(TenantId Tenant, string Query, long Part);

/// <summary>Results of range queries for steps that can't change any more, in memory: the least recently used go first. Thread-safe.</summary>
/// <remarks>Each item was true while the tenant's shards said a stamp (<see cref="TenantHistory"/>), and is not found under another one.</remarks>
/// <param name="maxBytes">The most memory; 0 for no bound.</param>
/// <param name="maxItems">The most items; 0 for no bound.</param>
/// <param name="validity">The age at which a result is not used any more; zero for none.</param>
/// <param name="time">The clock.</param>
internal sealed class ResultCache(long maxBytes, long maxItems, TimeSpan validity, TimeProvider time)
{
    // A dashboard that is refreshed adds a few steps each time; so many pieces are put together to one.
    private const int ExtentsMax = 16;

    private static readonly TimeSpan RemarkedFor = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly RecentlyUsed<CacheKey, Item> items = new(maxBytes, maxItems);

    /// <summary>Items, their bytes, and items that had to go for room.</summary>
    public (long Items, long Bytes, long Evictions) Load
    {
        get
        {
            lock (gate)
            {
                return (items.Count, items.Bytes, items.Evictions);
            }
        }
    }

    /// <summary>What is known of a part under a stamp, ascending in time; empty when nothing is.</summary>
    public IReadOnlyList<CachedExtent> Find(CacheKey key, ulong[] stamp)
    {
        lock (gate)
        {
            if (!items.TryGet(key, out var item))
            {
                return [];
            }

            if (!item.IsTrueUnder(stamp))
            {
                items.Remove(key);
                return [];
            }

            return validity == TimeSpan.Zero ? item.Extents : [.. item.Extents.Where(e => time.GetUtcNow() - e.MadeAt < validity)];
        }
    }

    /// <summary>Adds steps of a part.</summary>
    public void Put(CacheKey key, ulong[] stamp, CachedExtent extent)
    {
        lock (gate)
        {
            var known = items.TryGet(key, out var item) && item.IsTrueUnder(stamp) ? item.Extents : [];
            Set(key, new Item(stamp, With(known, extent), time.GetUtcNow()));
        }
    }

    /// <summary>Notes that a query's answer carries remarks, so that it has to be computed as a whole.</summary>
    public void Remark(TenantId tenant, string query)
    {
        lock (gate)
        {
            Set(RemarkKey(tenant, query), new Item([], [], time.GetUtcNow()));
        }
    }

    /// <summary>True when the query's answer carried remarks lately.</summary>
    public bool IsRemarked(TenantId tenant, string query)
    {
        lock (gate)
        {
            return items.TryGet(RemarkKey(tenant, query), out var item) && time.GetUtcNow() - item.MadeAt < RemarkedFor;
        }
    }

    private static CacheKey RemarkKey(TenantId tenant, string query) => new(tenant, query, long.MinValue);

    private static List<CachedExtent> With(IReadOnlyList<CachedExtent> known, CachedExtent added)
    {
        var extents = new List<CachedExtent>(known.Count + 1);
        extents.AddRange(known.Where(e => e.Steps.StartMs < added.Steps.StartMs || e.Steps.EndMs > added.Steps.EndMs));
        extents.Add(added);
        extents.Sort(static (a, b) => a.Steps.StartMs.CompareTo(b.Steps.StartMs));
        return extents.Count <= ExtentsMax ? extents : Joined(extents);
    }

    private static List<CachedExtent> Joined(List<CachedExtent> extents)
    {
        var joined = new List<CachedExtent>();
        var run = new List<CachedExtent>();
        var end = 0L;
        foreach (var extent in extents)
        {
            if (run.Count > 0 && extent.Steps.StartMs > end + extent.Steps.StepMs)
            {
                joined.Add(CachedExtent.Joined(run));
                run.Clear();
            }

            end = run.Count == 0 ? extent.Steps.EndMs : Math.Max(end, extent.Steps.EndMs);
            run.Add(extent);
        }

        joined.Add(CachedExtent.Joined(run));

        // Islands that nothing joins: the oldest make room.
        return joined.Count <= ExtentsMax ? joined : joined.GetRange(joined.Count - ExtentsMax, ExtentsMax);
    }

    private void Set(CacheKey key, Item item) => items.Set(key, item, 300 + (2L * key.Query.Length) + (8L * item.Stamp.Length) + item.Extents.Sum(static e => e.Bytes));

    private sealed record Item(ulong[] Stamp, IReadOnlyList<CachedExtent> Extents, DateTimeOffset MadeAt)
    {
        public bool IsTrueUnder(ulong[] stamp) => Stamp.AsSpan().SequenceEqual(stamp);
    }
}
