using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>How shards follow upon others in their manifests: children are made of sealed parents, whoever opens a shard finds out whether it is one still, and parents let go (docs/splitting.md).</summary>
/// <remarks>Each step may be done again, by anybody, late, or beside another who does it: what comes too late changes nothing.</remarks>
/// <param name="store">Where manifests are.</param>
/// <param name="maps">The shard maps.</param>
/// <param name="time">The clock.</param>
/// <param name="mutant">What is broken on purpose.</param>
internal sealed class Succession(IObjectStore store, TenantShardMaps maps, TimeProvider time, Mutant mutant = Mutant.None)
{
    private const string RetiredOwner = "retired";

    /// <summary>True for the manifest of a shard whose children have all that was its own.</summary>
    public static bool IsRetired(ShardManifest manifest) => manifest.Owner == RetiredOwner;

    /// <summary>Gives a child a manifest with the blocks of its parents that may hold its series.</summary>
    /// <param name="tenant">Whose.</param>
    /// <param name="child">The child's range.</param>
    /// <param name="change">The change.</param>
    /// <param name="announced">The version of the map that announced it.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ShardUnavailableException">A parent is not sealed for this change, or a later change has been here; or the store failed.</exception>
    public async ValueTask MakeChildAsync(TenantId tenant, HashRange child, ShardMapChange change, long announced, CancellationToken cancellation)
    {
        var shard = new ShardId(tenant, child);
        try
        {
            var parents = await ParentsAsync(tenant, change, announced, cancellation);
            while (true)
            {
                var (there, version) = await ManifestFile.StoredAsync(store, shard, cancellation);
                if (there?.MadeBy == announced)
                {
                    return;
                }

                // What is there is of an earlier life of the range, or of a change that was given up: no shard of the map.
                if (there?.MadeBy > announced)
                {
                    throw new ShardUnavailableException(shard, "a later change has made it");
                }

                if (await ManifestFile.TryReplaceAsync(store, shard, Child(child, change, parents, announced, (there?.Epoch ?? 0) + 1), version, cancellation))
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is ObjectStoreException or InvalidDataException)
        {
            throw new ShardUnavailableException(shard, e.Message, e);
        }
    }

    /// <summary>For whoever opens a shard, after it has made its epoch the highest and before it takes anything: finds out whether the shard is one of the map, and gives up the change that it is sealed for
    /// unless that is decided. Then nobody can put children into its place who has not seen this opening.</summary>
    /// <exception cref="ShardUnavailableException">Others own its range, or the store can't say.</exception>
    /// <exception cref="EpochLostException">A later owner has the shard.</exception>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async ValueTask ResolveAsync(ShardId shard, ManifestFile manifest, CancellationToken cancellation)
    {
        if (manifest.Current is { SealedFor: null, MadeBy: null })
        {
            return;
        }

        var map = await maps.FindAsync(shard.Tenant, cancellation);
        if (manifest.Current.SealedFor is { } announced && map?.Version == announced && mutant != Mutant.OpensSealedShards)
        {
            map = await maps.DecideAsync(shard.Tenant, announced, isDone: false, time.GetUtcNow(), cancellation);
        }

        if (map is null || !map.Has(shard.Range))
        {
            throw ShardUnavailableException.Moved(shard);
        }

        if (manifest.Current.SealedFor is { } given)
        {
            await HandedExemplars.ForgetAsync(store, shard, given, cancellation);
        }

        foreach (var parent in manifest.Current.Parents ?? [])
        {
            await RetireAsync(new ShardId(shard.Tenant, HashRange.Parse(parent)), manifest.Current.MadeBy ?? 0, cancellation);
        }

        await manifest.SwapAsync(now => now is { SealedFor: null, Parents: null } ? now : now with { SealedFor = null, Parents = null }, cancellation);
    }

    /// <summary>Takes everything off the manifest of a parent once the change is decided: its blocks are its children's.</summary>
    private async ValueTask RetireAsync(ShardId parent, long announced, CancellationToken cancellation)
    {
        while (true)
        {
            var (there, version) = await ManifestFile.StoredAsync(store, parent, cancellation);
            if (there is null || there.SealedFor != announced || IsRetired(there))
            {
                return; // Done, or the range has begun another life.
            }

            // Before the swap, after which nobody would look for them.
            var checkpoints = new List<string>();
            await foreach (var checkpoint in store.ListAsync(BucketKeys.Checkpoints(parent), cancellation))
            {
                checkpoints.Add(checkpoint.Key);
            }

            foreach (var key in checkpoints)
            {
                await store.DeleteAsync(key, cancellation);
            }

            // The epoch rises so that replicas of its log can be swept.
            var retired = there with { Epoch = there.Epoch + 1, Owner = RetiredOwner, Blocks = [], Cuts = [], Retired = [], Log = null, LostLogs = [], Parents = null };
            if (await ManifestFile.TryReplaceAsync(store, parent, retired, version, cancellation))
            {
                return;
            }
        }
    }

    private async ValueTask<List<ShardManifest>> ParentsAsync(TenantId tenant, ShardMapChange change, long announced, CancellationToken cancellation)
    {
        var parents = new List<ShardManifest>();
        foreach (var range in change.Parents)
        {
            var parent = await ManifestFile.PeekAsync(store, new ShardId(tenant, range), cancellation);
            if (parent is null || (parent.SealedFor != announced && mutant != Mutant.SplitsUnsealedShards))
            {
                throw new ShardUnavailableException(new ShardId(tenant, range), "it is not sealed any more: it was opened meanwhile");
            }

            parents.Add(parent);
        }

        return parents;
    }

    private static ShardManifest Child(HashRange range, ShardMapChange change, List<ShardManifest> parents, long announced, long epoch)
    {
        // What the parents had retired is the first child's to remove.
        var retired = range == change.Children[0] ? parents.SelectMany(p => p.Retired).GroupBy(r => r.Ulid, (_, same) => same.MaxBy(r => r.At)!, StringComparer.Ordinal) : [];
        var cuts = parents.SelectMany(p => p.Cuts).ToList();
        return new ShardManifest
        {
            Epoch = epoch,
            Owner = $"change {announced}",
            HashRange = range.ToString(),
            Blocks = [.. parents.SelectMany(p => p.Blocks).Where(b => b.HashRange.Overlaps(range)).OrderBy(b => b.Meta.MinTime).ThenBy(b => b.Meta.Ulid)],
            Cuts = cuts.Count > 0 ? [cuts.MaxBy(c => c.EndMs)] : [],
            Retired = [.. retired],
            MadeBy = announced,
            Parents = [.. change.Parents.Select(p => p.ToString())],
        };
    }
}
