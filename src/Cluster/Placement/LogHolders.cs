using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Which nodes hold a shard's log, as its manifest says; for whoever places shards and holds none.</summary>
public static class LogHolders
{
    /// <summary>The nodes, those of the newest ensemble first; none for a shard that was never open.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    /// <exception cref="InvalidDataException">The manifest is none.</exception>
    public static async ValueTask<IReadOnlyList<NodeId>> FindAsync(IObjectStore store, ShardId shard, CancellationToken cancellation) =>
        [.. ((await ManifestFile.PeekAsync(store, shard, cancellation))?.Log?.Nodes ?? []).Select(static n => new NodeId(n))];
}
