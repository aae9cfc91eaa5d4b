using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>What tenants have asked of this silo's gateway, for the other silos' gateways to add up. Thread-safe.</summary>
internal sealed class SiloCounts
{
    private volatile TenantCounting? counting;

    /// <summary>From now on asks this.</summary>
    public void Serve(TenantCounting served) => counting = served;

    /// <summary>The counts of tenants, in the order given; zeros while this silo takes no requests.</summary>
    public IReadOnlyList<TenantCounts> Of(IReadOnlyList<TenantId> tenants) => counting?.Invoke(tenants) ?? new TenantCounts[tenants.Count];
}
