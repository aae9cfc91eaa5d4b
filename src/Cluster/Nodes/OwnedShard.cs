using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>What all shards of a node share.</summary>
/// <param name="Data">The node's folder.</param>
/// <param name="Storage">How shards are kept.</param>
/// <param name="Archive">Where their blocks go.</param>
/// <param name="Replication">How their logs are replicated.</param>
/// <param name="Engine">How they evaluate fragments.</param>
/// <param name="Series">The active series of each tenant here.</param>
internal sealed record NodeServices(DataDirectory Data, StorageOptions Storage, ArchiveServices Archive, ReplicationServices Replication, EngineOptions Engine, TenantSeriesBounds Series);

/// <summary>A shard that this node owns, from the decision to take it over until its files are let go.</summary>
internal sealed class OwnedShard : IAsyncDisposable
{
    private readonly ShardId id;
    private readonly NodeServices services;
    private readonly CancellationTokenSource closing = new();
    private volatile ReplicatedLog? log;
    private string? lastOwner;
    private Task? disposing;

    /// <summary>Begins to take a shard over.</summary>
    public OwnedShard(ShardId id, NodeServices services)
    {
        this.id = id;
        this.services = services;
        Shard = new Shard(id, services.Data.FolderOf(id), services.Storage.MaxFuture, services.Engine, services.Replication.Time, OpenStoreAsync, services.Replication.Report);
        Opening = OpenAsync();
    }

    /// <summary>The shard.</summary>
    public Shard Shard { get; }

    /// <summary>Completes when the shard takes writes, or faults with <see cref="ShardUnavailableException"/>.</summary>
    public Task Opening { get; }

    /// <summary>How it is.</summary>
    public ShardStatus Status
    {
        get
        {
            var state = Shard.Gone.IsCompleted || Shard.IsFenced || Shard.IsMoved ? ShardState.Closed : Shard.IsSealed ? ShardState.Sealed : Shard.IsReady ? ShardState.Open : Opening.IsCompleted ? ShardState.Failed : ShardState.Opening;
            var next = log?.NextRecord ?? 0;
            var start = log?.Start ?? 0;
            return new ShardStatus(
                id,
                state,
                log?.Epoch ?? 0,
                next,
                log?.Committed ?? 0,
                [.. (log?.Members ?? []).Select(m => new FollowerStatus(m.Node, next - m.Match, m.First <= start, m.Lost))],
                (Shard.Meter.ReplayedBytes, Shard.Meter.TotalBytes),
                Shard.Statistics);
        }
    }

    /// <summary>Looks after head and log, as far as due.</summary>
    public async Task MaintainAsync(CancellationToken cancellation)
    {
        if (Opening.IsCompletedSuccessfully)
        {
            if (Shard.IsReady)
            {
                await IsOvertakenAsync();
            }

            await Shard.MaintainAsync(cancellation);
        }
    }

    /// <summary>Looks whether another owner is known of here; the shard closes then, in a moment.</summary>
    public async ValueTask<bool> IsOvertakenAsync()
    {
        try
        {
            return log is { } held && await held.IsOvertakenAsync();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            services.Replication.Report($"shard {id}: its own replica can't be asked, and will be again: {e.Message}");
            return false;
        }
    }

    /// <summary>Looks after the blocks, as far as due.</summary>
    public Task ArchiveAsync(CancellationToken cancellation) => Shard.ArchiveAsync(cancellation);

    /// <summary>The host knows that a node is gone.</summary>
    public void OnNodeLost(NodeId node) => log?.OnNodeLost(node);

    /// <summary>Ends the opening, if it is still under way, and closes the shard. Once.</summary>
    public ValueTask DisposeAsync()
    {
        lock (closing)
        {
            return new ValueTask(disposing ??= CloseAsync());
        }
    }

    private async Task CloseAsync()
    {
        await closing.CancelAsync();
        await Opening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Shard.DisposeAsync();
        closing.Dispose();
    }

    private async Task OpenAsync()
    {
        try
        {
            await Shard.OpenAsync(closing.Token);
        }
        catch (OperationCanceledException e)
        {
            throw new ShardUnavailableException(id, "it is closed here", e);
        }

        if (!Shard.IsReady)
        {
            throw Shard.IsMoved ? ShardUnavailableException.Moved(id) : new ShardUnavailableException(id, Shard.Refusal);
        }
    }

    private async Task<IShardStore> OpenStoreAsync(ShardId shard, string folder, ReplayMeter meter, CancellationToken cancellation)
    {
        var store = services.Archive.Store;
        if (lastOwner is not null && await ManifestFile.PeekAsync(store, shard, cancellation) is { } now && now.Owner != lastOwner)
        {
            if (Succession.IsRetired(now))
            {
                throw ShardUnavailableException.Moved(shard);
            }

            // It failed here, and another node was told to open it meanwhile: taking it back is not for us to decide.
            throw new EpochLostException(shard, log?.Epoch ?? 0, now.Epoch);
        }

        var own = services.Storage.Of(shard) with { ActiveSeries = services.Series.Of(shard.Tenant) };
        var manifest = ManifestFile.Open(store, shard);
        try
        {
            var opened = await ShardStore.OpenReplicatedAsync(
                shard, folder, own, services.Archive with { Options = own.Archive }, manifest, services.Replication, meter, text => services.Replication.Report($"shard {shard}: {text}"), cancellation);
            log = opened.Replicated;
            return opened;
        }
        finally
        {
            lastOwner = manifest.IsSynced ? manifest.Owner : lastOwner;
        }
    }
}
