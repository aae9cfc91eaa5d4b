using System.Globalization;
using System.Security.Cryptography;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A tenant of this process.</summary>
internal sealed class Tenant(TenantId id, string folder, Shard[] shards, TenantMetadata metadata, TimeProvider time) : ITenant
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
    public async ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow().UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
        var snapshots = Path.Combine(folder, "snapshots");
        var unfinished = Path.Combine(snapshots, name + ".tmp");
        Directory.CreateDirectory(unfinished);
        try
        {
            await Task.WhenAll(Array.ConvertAll(shards, s => s.SnapshotAsync(unfinished, skipHead, cancellation).AsTask()));
            Directory.Move(unfinished, Path.Combine(snapshots, name));
            DurableFile.FlushFolder(snapshots);
            return name;
        }
        catch
        {
            Directory.Delete(unfinished, recursive: true);
            throw;
        }
    }

    /// <summary>Closes all shards.</summary>
    public async Task CloseAsync()
    {
        await Task.WhenAll(Array.ConvertAll(shards, s => s.DisposeAsync().AsTask()));
        metadata.Dispose();
    }
}
