using System.Globalization;
using System.Security.Cryptography;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A tenant of this process.</summary>
internal sealed class Tenant(TenantId id, string folder, ShardMap map, Shard[] shards, TenantMetadata metadata, TimeProvider time) : ITenant
{
    /// <summary>How long <see cref="RefreshAsync"/> waits for a change.</summary>
    private static readonly TimeSpan refreshPatience = TimeSpan.FromMilliseconds(200);

    private volatile Shard[] shards = shards;
    private volatile ShardMap map = map;
    private volatile TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <inheritdoc/>
    public TenantId Id => id;

    /// <inheritdoc/>
    public IReadOnlyList<IShard> Shards => shards;

    /// <summary>The shards, as their owner sees them.</summary>
    public Shard[] Owned => shards;

    /// <summary>The map, with the change that is under way, or was when the process last ended.</summary>
    public ShardMap Map => map;

    /// <inheritdoc/>
    public IMetricMetadata Metadata => metadata;

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<IShard>> RefreshAsync(IReadOnlyList<IShard> seen, CancellationToken cancellation)
    {
        var next = changed.Task;
        if (ReferenceEquals(shards, seen))
        {
            try
            {
                await next.WaitAsync(refreshPatience, time, cancellation);
            }
            catch (TimeoutException)
            {
                return shards; // Perhaps it was given up; whoever asks tries again.
            }
        }

        return shards;
    }

    /// <inheritdoc/>
    public async ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow().UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
        var snapshots = Path.Combine(folder, "snapshots");
        var unfinished = Path.Combine(snapshots, name + ".tmp");
        Directory.CreateDirectory(unfinished);
        try
        {
            await this.AskAsync(
                async current =>
                {
                    // Again from the beginning after a split: what the parent has copied, the children have too.
                    Directory.Delete(unfinished, recursive: true);
                    Directory.CreateDirectory(unfinished);
                    await Task.WhenAll(current.Select(s => s.SnapshotAsync(unfinished, skipHead, cancellation).AsTask()));
                    return true;
                },
                cancellation);
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

    /// <summary>Writes down a map, and takes it for the one in force.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    public void Save(ShardMap next)
    {
        next.Save(folder);
        map = next;
    }

    /// <summary>Puts other shards into force.</summary>
    public void Replace(Shard[] next)
    {
        shards = next;
        var waiting = changed;
        changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting.TrySetResult();
    }

    /// <summary>Closes all shards.</summary>
    public async Task CloseAsync()
    {
        await Task.WhenAll(Array.ConvertAll(shards, s => s.DisposeAsync().AsTask()));
        metadata.Dispose();
    }
}
