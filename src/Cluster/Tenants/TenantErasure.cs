using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Who holds something of a tenant: every silo of a cluster. Each call reaches all of them, and may be repeated.</summary>
public interface ITenantHolders
{
    /// <summary>Closes what is open of the tenant, and forgets its shard map.</summary>
    /// <exception cref="IOException">Somebody who should have heard did not answer.</exception>
    Task CloseAsync(TenantId tenant, CancellationToken cancellation);

    /// <summary>Removes what lies on local disks of the tenant.</summary>
    /// <exception cref="IOException">Somebody who should have heard did not answer, or a disk failed.</exception>
    Task RemoveAsync(TenantId tenant, CancellationToken cancellation);
}

/// <summary>Deletion of a tenant, as object storage sees it. Thread-safe; a deletion runs once at a time.</summary>
/// <remarks>
/// <code>
///   mark ─► no shard map ─► closed everywhere ─► manifests fenced ─► local disks ─► objects ─► no mark
/// </code>
/// From the mark on it will happen: each step may be repeated, so a crash between any two is finished by whoever runs it next. While the mark stands no map is made (<see cref="TenantShardMaps.OpenAsync"/>), and without
/// a map no shard is opened. In a cluster each manifest stays behind as a fence: empty, with a higher epoch than any owner had, so that one that slept through all of it can't acknowledge or publish when it wakes, and
/// a disk that was away knows that its replicas are needed no more. The mark names one deletion: somebody slow finds another mark, or none, and stops before it touches what was made since.
/// </remarks>
public sealed class TenantErasure(IObjectStore store)
{
    /// <summary>Object names that start like this are no tenant's.</summary>
    private const string Marks = "__deleting/";

    /// <summary>Owners that hold a fence begin like this; a shard's owner has a name of hexadecimal digits.</summary>
    private const string FenceOwner = "deleted-";

    private const string ManifestName = "/manifest.json";
    private const int MarkBytes = 64;
    private const int FenceAttempts = 3;

    /// <summary>Makes it certain that the tenant will be deleted.</summary>
    /// <exception cref="ShardUnavailableException">The store failed; whether there is a mark is open.</exception>
    public async ValueTask MarkAsync(TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            await store.PutAsync(Marks + tenant, Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(32, lowercase: true)), PutCondition.Absent, cancellation);
        }
        catch (ConditionFailedException)
        {
            return; // It is marked.
        }
        catch (ObjectStoreException e)
        {
            throw Unavailable(tenant, "object storage can't be told that the tenant is to go", e);
        }
    }

    /// <summary>True from the mark on until the deletion is done.</summary>
    /// <exception cref="ShardUnavailableException">The store can't say.</exception>
    public async ValueTask<bool> IsMarkedAsync(TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            return await MarkOfAsync(tenant, cancellation) is not null;
        }
        catch (ObjectStoreException e)
        {
            throw Unavailable(tenant, "object storage can't be asked", e);
        }
    }

    /// <summary>The tenants that are marked.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async IAsyncEnumerable<TenantId> MarkedAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var mark in store.ListAsync(Marks, cancellation))
        {
            if (TenantId.TryParse(mark.Key[Marks.Length..], out var tenant, out _))
            {
                yield return tenant;
            }
        }
    }

    /// <summary>Deletes a marked tenant of a cluster; nothing for one that is not marked.</summary>
    /// <exception cref="IOException">The store, a silo or a disk failed; the mark stays.</exception>
    public async Task RunAsync(TenantId tenant, ITenantHolders holders, CancellationToken cancellation)
    {
        if (await MarkOfAsync(tenant, cancellation) is not { } mark)
        {
            return;
        }

        await store.DeleteAsync(BucketKeys.ShardMap(tenant), cancellation);
        await holders.CloseAsync(tenant, cancellation);
        await FenceAsync(tenant, mark, cancellation);
        await CheckAsync(tenant, mark, cancellation);
        await holders.RemoveAsync(tenant, cancellation);
        await EraseAsync(tenant, mark, static key => TryRange(key, out _), cancellation);
    }

    /// <summary>Deletes the objects of a marked tenant that nobody has open, and the mark; nothing for one that is not marked.</summary>
    /// <exception cref="ObjectStoreException">The store failed; the mark stays.</exception>
    public async Task EraseAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (await MarkOfAsync(tenant, cancellation) is { } mark)
        {
            // The map first, so that half of it is never taken for a tenant.
            await store.DeleteAsync(BucketKeys.ShardMap(tenant), cancellation);
            await EraseAsync(tenant, mark, static _ => false, cancellation);
        }
    }

    private async Task EraseAsync(TenantId tenant, string mark, Func<string, bool> stays, CancellationToken cancellation)
    {
        // Again until there is nothing: what was on its way when the tenant was closed may have arrived since.
        for (var found = true; found;)
        {
            found = false;
            await foreach (var item in store.ListAsync($"{tenant}/", cancellation))
            {
                if (!stays(item.Key[(tenant.Value.Length + 1)..]))
                {
                    await CheckAsync(tenant, mark, cancellation);
                    found = true;
                    await store.DeleteAsync(item.Key, cancellation);
                }
            }
        }

        await store.DeleteAsync(Marks + tenant, cancellation);
    }

    /// <summary>Raises the epoch of every shard that there ever was, and empties its manifest.</summary>
    private async Task FenceAsync(TenantId tenant, string mark, CancellationToken cancellation)
    {
        var shards = new List<ShardId>();
        await foreach (var item in store.ListAsync($"{tenant}/shards/", cancellation))
        {
            if (TryRange(item.Key[(tenant.Value.Length + 1)..], out var range))
            {
                shards.Add(new ShardId(tenant, range));
            }
        }

        foreach (var shard in shards)
        {
            await CheckAsync(tenant, mark, cancellation);
            await FenceAsync(shard, cancellation);
        }
    }

    private async Task FenceAsync(ShardId shard, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await ManifestFile.PeekAsync(store, shard, cancellation) is not { } now || IsFence(now))
            {
                return;
            }

            try
            {
                var manifest = ManifestFile.Open(store, shard, FenceOwner + RandomNumberGenerator.GetHexString(32, lowercase: true));
                await manifest.SwapAsync(static held => new ShardManifest { Epoch = held.Epoch, Owner = held.Owner, HashRange = held.HashRange }, cancellation);
                return;
            }
            catch (Exception e) when (attempt < FenceAttempts && (e is ObjectStoreException or EpochLostException))
            {
                // An owner that does not know yet swapped at the same time, or the store's answer was lost: what is there now says.
            }
        }
    }

    /// <summary>Stops who comes late: the deletion that it began is done, and what is there now is not its to touch.</summary>
    private async ValueTask CheckAsync(TenantId tenant, string mark, CancellationToken cancellation)
    {
        if (await MarkOfAsync(tenant, cancellation) != mark)
        {
            throw new IOException($"the deletion of tenant {tenant} was finished by another process");
        }
    }

    private async ValueTask<string?> MarkOfAsync(TenantId tenant, CancellationToken cancellation) =>
        await store.GetAsync(Marks + tenant, MarkBytes, cancellation) is { } mark ? Encoding.ASCII.GetString(mark.Content) : null;

    private static bool IsFence(ShardManifest manifest) =>
        manifest.Owner.StartsWith(FenceOwner, StringComparison.Ordinal) && manifest is { Blocks.Count: 0, Cuts.Count: 0, Retired.Count: 0, LostLogs.Count: 0, Log: null };

    private static bool TryRange(string keyInTenant, out HashRange range)
    {
        const string Shards = "shards/";
        range = HashRange.Everything;
        if (!keyInTenant.StartsWith(Shards, StringComparison.Ordinal) || !keyInTenant.EndsWith(ManifestName, StringComparison.Ordinal) || keyInTenant.Length <= Shards.Length + ManifestName.Length)
        {
            return false;
        }

        try
        {
            range = HashRange.Parse(keyInTenant[Shards.Length..^ManifestName.Length]);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static ShardUnavailableException Unavailable(TenantId tenant, string what, ObjectStoreException cause) =>
        new(new ShardId(tenant, HashRange.Everything), $"{what}: {cause.Message}", cause);
}
