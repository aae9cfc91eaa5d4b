using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The blocks of shards as their manifests list them, for readers that own nothing. What waits for its upload is not among them.</summary>
public static class PublishedBlocks
{
    /// <summary>Manifests read at once.</summary>
    private const int ReadsAtOnce = 8;

    /// <summary>The live blocks of shards by first instant, then by name; a block that several shards share is there once.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    /// <exception cref="InvalidDataException">A manifest is none.</exception>
    public static async ValueTask<IReadOnlyList<BlockMeta>> ListAsync(IObjectStore store, IEnumerable<ShardId> shards, CancellationToken cancellation)
    {
        var found = new Dictionary<Ulid, BlockMeta>();
        await Parallel.ForEachAsync(shards, new ParallelOptions { MaxDegreeOfParallelism = ReadsAtOnce, CancellationToken = cancellation }, async (shard, stop) =>
        {
            var manifest = await ManifestFile.PeekAsync(store, shard, stop);
            lock (found)
            {
                foreach (var block in manifest?.Blocks ?? [])
                {
                    found[block.Meta.Ulid] = block.Meta;
                }
            }
        });
        return [.. found.Values.OrderBy(static b => b.MinTime).ThenBy(static b => b.Ulid.ToString(), StringComparer.Ordinal)];
    }
}
