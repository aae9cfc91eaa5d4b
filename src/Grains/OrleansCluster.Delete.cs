using Metrics.Cluster;
using Metrics.Model;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

/// <summary>Deletion of tenants: the tenant's grain does it (<see cref="TenantErasure"/>), and what it did not finish, the eldest gateway asks for again.</summary>
public sealed partial class OrleansCluster
{
    private readonly TenantClosings closings;
    private readonly TenantErasure erasure;

    /// <inheritdoc/>
    public ValueTask MarkForDeletionAsync(TenantId tenant, CancellationToken cancellation) => erasure.MarkAsync(tenant, cancellation);

    /// <inheritdoc/>
    public ValueTask<bool> IsMarkedForDeletionAsync(TenantId tenant, CancellationToken cancellation) => erasure.IsMarkedAsync(tenant, cancellation);

    /// <inheritdoc/>
    public async ValueTask DeleteMarkedAsync(TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            if (await grains.GetGrain<ITenantGrain>(tenant.Value).DeleteAsync().AsTask().WaitAsync(cancellation) is { } problem)
            {
                throw new IOException(problem);
            }
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new IOException($"the silo that deletes tenant {tenant} did not answer ({e.GetType().Name})", e);
        }
    }

    private void Forget(TenantId tenant) => tenants.TryRemove(tenant, out _);

    private async Task FinishDeletionsAsync()
    {
        // One does it, the eldest; two who believe that they are meet in the tenant's grain.
        if (!directory.IsEldestGateway(self.SiloAddress))
        {
            return;
        }

        try
        {
            await foreach (var tenant in erasure.MarkedAsync(stopping.Token))
            {
                await DeleteMarkedAsync(tenant, stopping.Token);
                LogFinished(tenant);
            }
        }
        catch (IOException e)
        {
            LogNotFinished(e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "tenant {Tenant}: its deletion, which was under way, is done")]
    private partial void LogFinished(TenantId tenant);

    [LoggerMessage(Level = LogLevel.Warning, Message = "tenants to be deleted can't be deleted now, and will be: {Problem}")]
    private partial void LogNotFinished(string problem);
}
