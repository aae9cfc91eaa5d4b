using System.Runtime.CompilerServices;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>The shard maps of tenants, as object storage has them: what all processes agree on. Thread-safe.</summary>
/// <param name="store">The object storage.</param>
/// <param name="shardsPerTenant">The shards of a new tenant, a power of two.</param>
public sealed class TenantShardMaps(IObjectStore store, int shardsPerTenant)
{
    private readonly TenantErasure erasure = new(store);

    /// <summary>The map of a tenant, or null when nobody ever made one.</summary>
    /// <exception cref="ShardUnavailableException">The store can't say.</exception>
    /// <exception cref="InvalidDataException">What is stored is no map.</exception>
    public async ValueTask<ShardMap?> FindAsync(TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            var key = BucketKeys.ShardMap(tenant);
            return await store.GetAsync(key, ShardMap.MaxBytes, cancellation) is { } found ? ShardMap.Read(found.Content, $"{store.Name}: {key}") : null;
        }
        catch (ObjectStoreException e)
        {
            throw Unavailable(tenant, "the tenant is not known here, and object storage can't be asked", e);
        }
    }

    /// <summary>Names below which something lies, as tenants; one that was deleted may be among them.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async IAsyncEnumerable<TenantId> ListAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var name in store.ListFoldersAsync("", cancellation))
        {
            if (TenantId.TryParse(name, out var tenant, out _))
            {
                yield return tenant;
            }
        }
    }

    /// <summary>The map of a tenant; for one that has none, the first map, which the store has accepted: no two processes begin with different ones.</summary>
    /// <exception cref="ShardUnavailableException">The store can't say, or the tenant is being deleted.</exception>
    /// <exception cref="InvalidDataException">What is stored is no map.</exception>
    public async ValueTask<ShardMap> OpenAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (await FindAsync(tenant, cancellation) is { } there)
        {
            return there;
        }

        if (await erasure.IsMarkedAsync(tenant, cancellation))
        {
            throw new ShardUnavailableException(new ShardId(tenant, HashRange.Everything), "the tenant is being deleted");
        }

        var first = ShardMap.Create(shardsPerTenant);
        try
        {
            await store.PutAsync(BucketKeys.ShardMap(tenant), first.ToJson(), PutCondition.Absent, cancellation);
            return first;
        }
        catch (ConditionFailedException)
        {
            return await FindAsync(tenant, cancellation) ?? first;
        }
        catch (ObjectStoreException e)
        {
            throw Unavailable(tenant, "a new tenant needs object storage once", e);
        }
    }

    private static ShardUnavailableException Unavailable(TenantId tenant, string what, ObjectStoreException cause) =>
        new(new ShardId(tenant, HashRange.Everything), $"{what}: {cause.Message}", cause);
}
