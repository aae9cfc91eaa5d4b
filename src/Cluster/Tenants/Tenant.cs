using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A tenant of this process.</summary>
internal sealed class Tenant(TenantId id, string dataDirectory, Shard[] shards, TenantMetadata metadata, TimeProvider time) : ITenant
{
    /// <inheritdoc/>
    public TenantId Id => id;

    /// <inheritdoc/>
    public IReadOnlyList<IShard> Shards => shards;

    /// <summary>The shards, as their owner sees them.</summary>
    public Shard[] Owned => shards;

    /// <inheritdoc/>
    public IMetricMetadata Metadata => metadata;

    /// <inheritdoc/>
    public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => TenantSnapshot.TakeAsync(dataDirectory, id, shards, skipHead, time, cancellation);

    /// <summary>Closes all shards.</summary>
    public async Task CloseAsync()
    {
        await Task.WhenAll(Array.ConvertAll(shards, s => s.DisposeAsync().AsTask()));
        metadata.Dispose();
    }
}
