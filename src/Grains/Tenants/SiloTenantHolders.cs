using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>All silos that membership has: those that are dead hold nothing that the fences don't keep from harm.</summary>
internal sealed class SiloTenantHolders(SiloDirectory directory, SiloServiceClient silos) : ITenantHolders
{
    /// <inheritdoc/>
    public Task CloseAsync(TenantId tenant, CancellationToken cancellation) => EachAsync(s => s.CloseTenantAsync(tenant.Value), cancellation);

    /// <inheritdoc/>
    public Task RemoveAsync(TenantId tenant, CancellationToken cancellation) => EachAsync(s => s.RemoveTenantAsync(tenant.Value), cancellation);

    private Task EachAsync(Func<ISiloService, Task> call, CancellationToken cancellation) => Task.WhenAll(directory.Silos.Select(s => CallAsync(s.Address, call, cancellation)));

    private async Task CallAsync(SiloAddress silo, Func<ISiloService, Task> call, CancellationToken cancellation)
    {
        try
        {
            await call(silos.Of(silo)).WaitAsync(cancellation);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new IOException($"silo {silo} did not answer ({e.GetType().Name})", e);
        }
    }
}
