using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>What can be said of a shard that is open nowhere, without opening it: its manifest tells.</summary>
public static class ClosedShard
{
    /// <summary>The counts: nothing is in its head, and its blocks are those of the manifest. Zeros for one that was never open.</summary>
    /// <exception cref="ShardUnavailableException">Object storage can't say.</exception>
    public static async ValueTask<ShardStatistics> StatisticsAsync(IObjectStore store, ShardId shard, CancellationToken cancellation)
    {
        try
        {
            var blocks = (await ManifestFile.PeekAsync(store, shard, cancellation))?.Blocks ?? [];
            return default(ShardStatistics) with
            {
                Blocks = blocks.Count,
                BlockBytes = blocks.Sum(b => b.Bytes >> Math.Max(0, shard.Range.Bits - b.HashRange.Bits)),
                NewestSampleMs = blocks.Count == 0 ? 0 : blocks.Max(static b => b.Meta.MaxTime - 1),
            };
        }
        catch (Exception e) when (e is ObjectStoreException or InvalidDataException)
        {
            throw new ShardUnavailableException(shard, e.Message, e);
        }
    }
}
