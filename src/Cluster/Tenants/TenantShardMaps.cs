using System.Runtime.CompilerServices;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>The shard maps of tenants, as object storage has them: what all processes agree on. Thread-safe.</summary>
/// <param name="store">The object storage.</param>
/// <param name="shardsPerTenant">The shards of a new tenant, a power of two.</param>
public sealed class TenantShardMaps(IObjectStore store, int shardsPerTenant)
{
    /// <summary>Maps read at once for a list: a thousand tenants that nobody has asked for yet take a few seconds of a slow store.</summary>
    private const int LooksAtOnce = 16;

    private readonly TenantErasure erasure = new(store);

    /// <summary>The shards of a new tenant, a power of two.</summary>
    public int ShardsPerTenant { get; } = shardsPerTenant;

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

    /// <summary>The tenants that have a map, and those that are known to be there, ascending.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    /// <exception cref="ShardUnavailableException">It failed for one of them.</exception>
    /// <exception cref="InvalidDataException">What is stored of one is no map.</exception>
    public async ValueTask<IReadOnlyList<TenantId>> ExistingAsync(IEnumerable<TenantId> known, CancellationToken cancellation)
    {
        var found = known.ToHashSet();
        var others = new List<TenantId>();
        await foreach (var tenant in ListAsync(cancellation))
        {
            if (!found.Contains(tenant))
            {
                others.Add(tenant);
            }
        }

        var exist = new bool[others.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = LooksAtOnce, CancellationToken = cancellation };
        await Parallel.ForEachAsync(Enumerable.Range(0, others.Count), options, async (i, stop) => exist[i] = await FindAsync(others[i], stop) is not null);
        found.UnionWith(others.Where((_, i) => exist[i]));
        return [.. found.Order()];
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

        var first = ShardMap.Create(ShardsPerTenant);
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

    /// <summary>Announces a change of the map: its next version, with the same ranges. From then on no other change of this tenant begins until this one is decided.</summary>
    /// <returns>The map that announces it; its version names the change from now on.</returns>
    /// <exception cref="ArgumentException">It is no change of the map as it is now, or another one is under way.</exception>
    /// <exception cref="ShardUnavailableException">The store can't say whether it is announced; whoever looks at the map later may give it up.</exception>
    public async ValueTask<ShardMap> AnnounceAsync(TenantId tenant, ShardMapChange change, CancellationToken cancellation)
    {
        while (true)
        {
            var (now, version) = await StoredAsync(tenant, cancellation) ?? throw new ArgumentException($"there is no tenant {tenant}", nameof(tenant));
            if (now.Change?.Id == change.Id)
            {
                return now; // An earlier put took effect though it seemed to fail.
            }

            var next = now.Announcing(change);
            if (await TrySwapAsync(tenant, next, version, cancellation))
            {
                return next;
            }
        }
    }

    /// <summary>Decides a change, whoever announced it: done, or given up. Of several who try the first one decides, and all learn what it is.</summary>
    /// <param name="tenant">Whose map.</param>
    /// <param name="announced">The version of the map that announced the change.</param>
    /// <param name="isDone">True to put the children into the parents' place; false to leave all as it was.</param>
    /// <param name="at">When.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The map in force: the one that decided it, or a later one. Null when the tenant is gone.</returns>
    /// <exception cref="ShardUnavailableException">The store can't say whether it is decided; to be called again.</exception>
    public async ValueTask<ShardMap?> DecideAsync(TenantId tenant, long announced, bool isDone, DateTimeOffset at, CancellationToken cancellation)
    {
        while (true)
        {
            if (await StoredAsync(tenant, cancellation) is not var (now, version))
            {
                return null;
            }

            if (now.Version != announced || now.Change is null)
            {
                return now;
            }

            var next = now.Decided(isDone, at);
            if (await TrySwapAsync(tenant, next, version, cancellation))
            {
                return next;
            }
        }
    }

    /// <summary>Puts a map that this process alone knows into a store that has none: that of a data directory which is older than maps in object storage.</summary>
    /// <exception cref="ShardUnavailableException">The store can't say.</exception>
    internal async ValueTask EnsureAsync(TenantId tenant, ShardMap known, CancellationToken cancellation)
    {
        if (await StoredAsync(tenant, cancellation) is null)
        {
            try
            {
                await store.PutAsync(BucketKeys.ShardMap(tenant), known.ToJson(), PutCondition.Absent, cancellation);
            }
            catch (ObjectStoreException e)
            {
                throw Unavailable(tenant, "its shard map can't be stored", e);
            }
        }
    }

    private async ValueTask<(ShardMap Map, ObjectVersion Version)?> StoredAsync(TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            var key = BucketKeys.ShardMap(tenant);
            return await store.GetAsync(key, ShardMap.MaxBytes, cancellation) is { } found ? (ShardMap.Read(found.Content, $"{store.Name}: {key}"), found.Version) : null;
        }
        catch (ObjectStoreException e)
        {
            throw Unavailable(tenant, "its shard map can't be read", e);
        }
    }

    /// <summary>False when the map is not the one that was read: somebody was faster, or an earlier put took effect late.</summary>
    private async ValueTask<bool> TrySwapAsync(TenantId tenant, ShardMap next, ObjectVersion version, CancellationToken cancellation)
    {
        try
        {
            await store.PutAsync(BucketKeys.ShardMap(tenant), next.ToJson(), PutCondition.Unchanged(version), cancellation);
            return true;
        }
        catch (ConditionFailedException)
        {
            return false;
        }
        catch (ObjectStoreException e)
        {
            throw Unavailable(tenant, "its shard map can't be changed", e);
        }
    }

    private static ShardUnavailableException Unavailable(TenantId tenant, string what, ObjectStoreException cause) =>
        new(new ShardId(tenant, HashRange.Everything), $"{what}: {cause.Message}", cause);
}
