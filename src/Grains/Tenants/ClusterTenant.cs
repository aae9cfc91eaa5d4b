using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>A tenant as a gateway of the cluster has it: the shards of its map, each behind its grain.</summary>
internal sealed class ClusterTenant(TenantId id, ClusterMetadata metadata, ShardMap map, Func<ShardId, IShard> shardOf, string dataDirectory, TimeProvider time) : ITenant
{
    private volatile IReadOnlyList<IShard> shards = [.. map.Ranges.Select(r => shardOf(new ShardId(id, r)))];
    private long version = map.Version;

    /// <inheritdoc/>
    public TenantId Id => id;

    /// <inheritdoc/>
    public IReadOnlyList<IShard> Shards => shards;

    /// <inheritdoc/>
    public IMetricMetadata Metadata => metadata;

    /// <summary>The metadata, to be exchanged.</summary>
    public ClusterMetadata Book => metadata;

    /// <summary>Takes a later map.</summary>
    public void Adopt(ShardMap later)
    {
        if (later.Version > version)
        {
            version = later.Version;
            shards = [.. later.Ranges.Select(r => shardOf(new ShardId(id, r)))];
        }
    }

    /// <summary>As everywhere, into a folder of the machine that is asked: what other silos own comes from the bucket, after they have published it.</summary>
    /// <inheritdoc/>
    public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => TenantSnapshot.TakeAsync(dataDirectory, id, shards, skipHead, time, cancellation);
}
