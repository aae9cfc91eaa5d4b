using System.Collections.Concurrent;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Deletion of tenants.</summary>
/// <remarks>
/// First a mark is put into object storage; from then on it will happen, whatever happens to this process. Then the tenant is closed and gone for readers and writers, its shard map goes before its folder and its
/// objects, so that half of it is never taken for a tenant, and the mark goes last. A start finishes what is marked.
/// </remarks>
public sealed partial class InProcessCluster
{
    private readonly ConcurrentDictionary<TenantId, bool> deleting = new();
    private readonly TenantErasure erasure;

    /// <inheritdoc/>
    public ValueTask MarkForDeletionAsync(TenantId tenant, CancellationToken cancellation) => erasure.MarkAsync(tenant, cancellation);

    /// <inheritdoc/>
    public async ValueTask<bool> IsMarkedForDeletionAsync(TenantId tenant, CancellationToken cancellation) => deleting.ContainsKey(tenant) || await erasure.IsMarkedAsync(tenant, cancellation);

    /// <inheritdoc/>
    public async ValueTask DeleteMarkedAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (!deleting.TryAdd(tenant, true))
        {
            return;
        }

        try
        {
            if (!await erasure.IsMarkedAsync(tenant, cancellation))
            {
                return;
            }

            while (resharding.IsRunning(tenant))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellation); // It ends, for its shards say that the tenant is going, and no other begins.
            }

            await making.WaitAsync(cancellation);
            try
            {
                ObjectDisposedException.ThrowIf(Volatile.Read(ref disposed) != 0, this);
                if (tenants.TryRemove(tenant, out var open))
                {
                    await open.CloseAsync();
                }

                data.Delete(tenant);
            }
            finally
            {
                making.Release();
            }

            await erasure.EraseAsync(tenant, cancellation);
        }
        finally
        {
            deleting.TryRemove(tenant, out _);
        }
    }

    /// <summary>Finishes what an earlier life was told to delete.</summary>
    private async Task DeleteMarkedAsync()
    {
        try
        {
            await starting;
            var marked = new List<TenantId>();
            await foreach (var tenant in erasure.MarkedAsync(stopping.Token))
            {
                marked.Add(tenant);
            }

            foreach (var tenant in marked)
            {
                await DeleteMarkedAsync(tenant, stopping.Token);
                report($"tenant {tenant}: its deletion, which was under way, is done");
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The next start goes on.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ShardUnavailableException)
        {
            report($"tenants to be deleted can't be deleted now, the next start tries again: {e.Message}");
        }
    }
}
