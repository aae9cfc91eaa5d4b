using Metrics.Cluster;

namespace Metrics.Gateway.Telemetry;

/// <summary>Which tenants are told apart in metrics: those with the most series in their heads. Thread-safe.</summary>
internal sealed class TenantRanking(ICluster cluster, int maxTenants)
{
    /// <summary>What stands for the other tenants.</summary>
    public const string Other = "other";

    /// <summary>As many tenants are listed where there is no ranking.</summary>
    public const int ListedMax = 1000;

    /// <summary>The names of those tenants now; null when all are. One that is named as the others are together is one of them.</summary>
    public HashSet<string>? Shown()
    {
        var tenants = cluster.Tenants;
        return tenants.Count <= maxTenants
            ? null
            : tenants.Where(static t => t.Id.Value != Other).Select(t => (t.Id.Value, Series: t.Shards.Sum(s => s.Statistics.HeadSeries)))
                .OrderByDescending(t => t.Series).ThenBy(t => t.Value, StringComparer.Ordinal).Take(maxTenants).Select(t => t.Value).ToHashSet(StringComparer.Ordinal);
    }
}
