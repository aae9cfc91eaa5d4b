using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Finds out whether other shards of the tenant have a block that this one has no more, and which folders no shard looks after.</summary>
/// <remarks>
/// A block comes to be shared only by a split, which gives it to both children, and each rewrites its own part in its own time. Only the shards of the tenant's map count. Their manifests are read one after
/// another, and no more than that is needed: a shard gets a block only from one that has it, by a change of the map. So if the map was the same before and after, a block that none of the
/// manifests has is had by nobody, for ever.
/// </remarks>
internal sealed class SharedBlocks(ShardId shard, ArchiveServices services)
{
    /// <summary>Those of some blocks that another shard has, or has had within the delete delay; null when nobody can say at the moment, since the map has changed meanwhile.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async ValueTask<HashSet<string>?> HeldElsewhereAsync(IReadOnlyCollection<(string Ulid, HashRange Range)> blocks, CancellationToken cancellation)
    {
        var held = new HashSet<string>(StringComparer.Ordinal);
        if (await MapAsync(cancellation) is not { } before || services.Mutant == Mutant.RemovesSharedBlocks)
        {
            return held; // Without a map there was never more than this shard.
        }

        var now = services.Time.GetUtcNow();
        foreach (var other in before.Ranges.Where(r => r != shard.Range && blocks.Any(b => b.Range.Overlaps(r))))
        {
            if (await ManifestFile.PeekAsync(services.Store, new ShardId(shard.Tenant, other), cancellation) is { } manifest)
            {
                held.UnionWith(manifest.Blocks.Select(b => b.Meta.Ulid.ToString()));
                held.UnionWith(manifest.Retired.Where(r => now - r.At < services.Options.DeleteDelay).Select(r => r.Ulid));
            }
        }

        held.IntersectWith(blocks.Select(static b => b.Ulid));
        return (await MapAsync(cancellation))?.Version == before.Version ? held : null;
    }

    /// <summary>Where notes of uploads lie that are this shard's to look after: its own, and those of ranges that are no shard any more and begin in its own.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async ValueTask<IReadOnlyList<string>> UploadFoldersAsync(CancellationToken cancellation)
    {
        var folders = new List<string> { BucketKeys.Uploads(shard) };
        if (await MapAsync(cancellation) is not { ChangedAt: not null } map)
        {
            return folders;
        }

        await foreach (var name in services.Store.ListFoldersAsync(BucketKeys.Shards(shard.Tenant), cancellation))
        {
            if (TryRange(name, out var range) && shard.Range.Contains(range.First) && !map.Has(range))
            {
                folders.Add(BucketKeys.Uploads(new ShardId(shard.Tenant, range)));
            }
        }

        return folders;
    }

    private static bool TryRange(string folder, out HashRange range)
    {
        try
        {
            range = HashRange.Parse(folder.TrimEnd('/').Split('/')[^1]);
            return true;
        }
        catch (FormatException)
        {
            range = default;
            return false;
        }
    }

    private async ValueTask<ShardMap?> MapAsync(CancellationToken cancellation)
    {
        try
        {
            return await services.Maps.FindAsync(shard.Tenant, cancellation);
        }
        catch (Exception e) when (e is ShardUnavailableException or InvalidDataException)
        {
            throw new ObjectStoreException($"the map of tenant {shard.Tenant} can't be read: {e.Message}", e);
        }
    }
}
