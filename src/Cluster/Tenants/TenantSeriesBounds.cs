using System.Collections.Concurrent;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The active series of each tenant of a process, and whoever knows their bounds. Thread-safe.</summary>
internal sealed class TenantSeriesBounds
{
    private readonly ConcurrentDictionary<TenantId, ActiveSeries> tenants = new();
    private Func<TenantId, SeriesLimits> limits = static _ => default;

    /// <summary>Asks this for bounds from now on.</summary>
    public void Limit(Func<TenantId, SeriesLimits> source) => Volatile.Write(ref limits, source);

    /// <summary>The active series of a tenant.</summary>
    public ActiveSeries Of(TenantId tenant) => tenants.GetOrAdd(tenant, static (id, all) => new ActiveSeries(() => Volatile.Read(ref all.limits)(id)), this);
}
