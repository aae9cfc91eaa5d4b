using System.Collections.Concurrent;

namespace Metrics.Grains;

/// <summary>How much this silo is sent by tenants that have a rate, for the others to know. Thread-safe.</summary>
internal sealed class TenantDemands(TimeProvider time)
{
    /// <summary>What was noted so long ago is over.</summary>
    private static readonly TimeSpan forgetAfter = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, (double PerSecond, long At)> tenants = new(StringComparer.Ordinal);

    /// <summary>Notes what a tenant sends a second.</summary>
    public void Note(string tenant, double perSecond) => tenants[tenant] = (perSecond, time.GetTimestamp());

    /// <summary>What was noted lately, for a report; null for nothing.</summary>
    public IReadOnlyDictionary<string, double>? Report()
    {
        foreach (var (tenant, demand) in tenants)
        {
            if (time.GetElapsedTime(demand.At) > forgetAfter)
            {
                tenants.TryRemove(KeyValuePair.Create(tenant, demand));
            }
        }

        return tenants.IsEmpty ? null : tenants.ToDictionary(static t => t.Key, static t => Math.Round(t.Value.PerSecond, 3), StringComparer.Ordinal);
    }
}
