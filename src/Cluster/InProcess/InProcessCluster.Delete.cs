using System.Collections.Concurrent;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Deletion of tenants.</summary>
/// <remarks>
/// First a mark is put into object storage; from then on it will happen, whatever happens to this process. Then the tenant is closed and gone for readers and writers, its shard map goes before its folder and its
/// objects, so that half of it is never taken for a tenant, and the mark goes last. A start finishes what is marked.
/// </remarks>
public sealed partial class InProcessCluster
{
    /// <summary>Object names that start like this are no tenant's.</summary>
    private const string Marks = "__deleting/";

    private readonly ConcurrentDictionary<TenantId, bool> deleting = new();

    /// <inheritdoc/>
    public async ValueTask MarkForDeletionAsync(TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            await services.Store.PutAsync(Marks + tenant, ReadOnlyMemory<byte>.Empty, PutCondition.None, cancellation);
        }
        catch (ObjectStoreException e)
        {
            throw new ShardUnavailableException(new ShardId(tenant, HashRange.Everything), $"object storage can't be told that the tenant is to go: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> IsMarkedForDeletionAsync(TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            return deleting.ContainsKey(tenant) || await services.Store.GetAsync(Marks + tenant, 1, cancellation) is not null;
        }
        catch (ObjectStoreException e)
        {
            throw new ShardUnavailableException(new ShardId(tenant, HashRange.Everything), $"object storage can't be asked: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DeleteMarkedAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (!deleting.TryAdd(tenant, true))
        {
            return;
        }

        try
        {
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

            await services.Store.DeleteAsync(BucketKeys.ShardMap(tenant), cancellation);

            // Again until there is nothing: what was on its way when the tenant was closed may have arrived since.
            for (var found = true; found;)
            {
                found = false;
                await foreach (var item in services.Store.ListAsync($"{tenant}/", cancellation))
                {
                    found = true;
                    await services.Store.DeleteAsync(item.Key, cancellation);
                }
            }

            await services.Store.DeleteAsync(Marks + tenant, cancellation);
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
            await foreach (var mark in services.Store.ListAsync(Marks, stopping.Token))
            {
                if (TenantId.TryParse(mark.Key[Marks.Length..], out var tenant, out _))
                {
                    marked.Add(tenant);
                }
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
        catch (Exception e) when (e is ObjectStoreException or IOException or UnauthorizedAccessException)
        {
            report($"tenants to be deleted can't be deleted now, the next start tries again: {e.Message}");
        }
    }
}
