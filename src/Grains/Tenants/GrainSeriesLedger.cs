using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>A silo's way to the ledgers of tenants' series, which their grains have.</summary>
internal sealed class GrainSeriesLedger(SiloContext silo, IGrainFactory grains, ILocalSiloDetails self) : ISeriesLedger, ILifecycleParticipant<ISiloLifecycle>
{
    /// <summary>Before any shard is opened here.</summary>
    public void Participate(ISiloLifecycle observer) => observer.Subscribe(nameof(GrainSeriesLedger), ServiceLifecycleStage.RuntimeGrainServices - 1, _ =>
    {
        silo.Node?.ShareSeries(this);
        return Task.CompletedTask;
    });

    /// <inheritdoc/>
    public async ValueTask<SeriesGrant> AskAsync(TenantId tenant, SeriesWish wish, CancellationToken cancellation)
    {
        try
        {
            return (await grains.GetGrain<ITenantGrain>(tenant.Value).GrantSeriesAsync(self.SiloAddress, new WishMessage(wish)).AsTask().WaitAsync(cancellation)).ToGrant();
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new IOException($"the silo that counts the series of tenant {tenant} did not answer ({e.GetType().Name})", e);
        }
    }
}
