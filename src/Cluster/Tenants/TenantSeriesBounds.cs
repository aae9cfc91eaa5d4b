using System.Collections.Concurrent;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The active series of each tenant of a process, and whoever knows their bounds. Thread-safe.</summary>
internal sealed class TenantSeriesBounds
{
    private readonly ConcurrentDictionary<TenantId, ActiveSeries> tenants = new();
    private Func<TenantId, SeriesLimits> limits = static _ => default;
    private Func<TenantId, SeriesPlaces>? places;

    /// <summary>Asks this for bounds from now on.</summary>
    public void Limit(Func<TenantId, SeriesLimits> source) => Volatile.Write(ref limits, source);

    /// <summary>From now on shares the places of tenants with other processes; of tenants that are known already too, but what of them is open keeps to itself.</summary>
    public void Share(ISeriesLedger ledger, TimeProvider time)
    {
        Volatile.Write(ref places, tenant => new SeriesPlaces(tenant, ledger, time));
        tenants.Clear();
    }

    /// <summary>The active series of a tenant.</summary>
    public ActiveSeries Of(TenantId tenant) => tenants.GetOrAdd(tenant, static (id, all) => new ActiveSeries(() => Volatile.Read(ref all.limits)(id), Volatile.Read(ref all.places)?.Invoke(id)), this);
}
