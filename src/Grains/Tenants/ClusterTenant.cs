using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>A tenant as a gateway of the cluster has it: the shards of its map, each behind its grain.</summary>
/// <param name="id">Which.</param>
/// <param name="metadata">Its metadata.</param>
/// <param name="map">Its map.</param>
/// <param name="shardOf">Makes a shard.</param>
/// <param name="read">Reads the map that is in force; null when there is none any more.</param>
/// <param name="retry">How long <see cref="RefreshAsync"/> waits when nothing has changed yet.</param>
/// <param name="time">The clock.</param>
internal sealed class ClusterTenant(TenantId id, ClusterMetadata metadata, ShardMap map, Func<ShardId, IShard> shardOf, Func<Task<ShardMap?>> read, TimeSpan retry, TimeProvider time) : ITenant
{
    private readonly Lock gate = new();
    private volatile IReadOnlyList<IShard> shards = [.. map.Ranges.Select(r => shardOf(new ShardId(id, r)))];
    private long version = map.Version;
    private Task? reading;

    /// <inheritdoc/>
    public TenantId Id => id;

    /// <inheritdoc/>
    public IReadOnlyList<IShard> Shards => shards;

    /// <inheritdoc/>
    public IMetricMetadata Metadata => metadata;

    /// <summary>The metadata, to be exchanged.</summary>
    public ClusterMetadata Book => metadata;

    /// <summary>Takes a later map. Shards that stay are the same objects.</summary>
    public void Adopt(ShardMap later)
    {
        lock (gate)
        {
            if (later.Version <= version)
            {
                return;
            }

            version = later.Version;
            if (!later.Ranges.SequenceEqual(shards.Select(static s => s.Id.Range)))
            {
                var known = shards.ToDictionary(static s => s.Id.Range);
                shards = [.. later.Ranges.Select(r => known.TryGetValue(r, out var same) ? same : shardOf(new ShardId(id, r)))];
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks>All who ask at the same time share one look at the bucket.</remarks>
    public async ValueTask<IReadOnlyList<IShard>> RefreshAsync(IReadOnlyList<IShard> seen, CancellationToken cancellation)
    {
        if (!ReferenceEquals(shards, seen))
        {
            return shards;
        }

        Task look;
        lock (gate)
        {
            look = reading is { IsCompleted: false } running ? running : reading = LookAsync();
        }

        await look.WaitAsync(cancellation);
        if (ReferenceEquals(shards, seen))
        {
            await Task.Delay(retry, time, cancellation);
        }

        return shards;
    }

    /// <inheritdoc/>
    public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) =>
        throw new ShardUnavailableException(new ShardId(id, HashRange.Everything), "a snapshot is a folder of one machine; of a cluster, flush the shards and copy the bucket");

    private async Task LookAsync()
    {
        if (await read() is { } later)
        {
            Adopt(later);
        }
    }
}
