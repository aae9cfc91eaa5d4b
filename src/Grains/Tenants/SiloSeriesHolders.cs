using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>The silos that hold shards, as the ledger of a tenant's series sees them.</summary>
internal sealed class SiloSeriesHolders(TenantId tenant, SiloDirectory directory, SiloServiceClient silos, TimeProvider time) : ISeriesHolders
{
    /// <summary>How long a silo may take: a batch waits for it.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => [.. directory.Silos.Where(static s => s.Card.HoldsShards).Select(static s => s.Address.ToParsableString())];

    /// <inheritdoc/>
    public async ValueTask<SeriesHolding> ReclaimAsync(string name, long since)
    {
        var silo = SiloAddress.FromParsableString(name);
        try
        {
            return (await silos.Of(silo).ReclaimSeriesAsync(tenant.Value, since).WaitAsync(patience, time)).ToHolding();
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            var reported = directory.ReportOf(silo)?.Shards.Where(s => s.Tenant == tenant.Value).Sum(static s => s.HeadSeries) ?? 0;
            return new SeriesHolding(reported, reported, -1);
        }
    }
}
