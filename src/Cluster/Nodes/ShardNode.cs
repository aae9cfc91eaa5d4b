using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>A node on a folder of this machine: <see cref="IShardNode"/> as it is.</summary>
/// <remarks>
/// <code>
///   node              this node's name
///   replicas/         replicas of logs, its own shards' and others': tenant/range/lineage/
///   tenants/          what its own shards keep beside their logs: chunks of the head, blocks on their way; nothing that an opening needs
///   cache/            what was read of blocks
/// </code>
/// Two loops look after the shards, one at a time each: one cuts heads, the other works on blocks, so that a slow store holds up no cut.
/// </remarks>
public sealed class ShardNode : IShardNode
{
    /// <summary>How often each shard is looked after.</summary>
    public static readonly TimeSpan UpkeepEvery = TimeSpan.FromSeconds(5);

    /// <summary>How often replicas are looked for that nobody has used since the last look. A tenant that is scraped once a minute keeps its files open.</summary>
    public static readonly TimeSpan RestEvery = TimeSpan.FromSeconds(90);

    /// <summary>How often replicas that no manifest names are looked for.</summary>
    public static readonly TimeSpan SweepEvery = TimeSpan.FromHours(1);

    private readonly NodeServices services;
    private readonly Lock gate = new();
    private readonly Dictionary<ShardId, OwnedShard> shards = [];
    private readonly MemoryReturn memory;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task upkeep;
    private readonly Task archiving;
    private readonly Task sweeping;
    private readonly Task resting;
    private bool leaving;
    private bool disposed;

    private ShardNode(NodeServices services)
    {
        this.services = services;
        Maps = new TenantShardMaps(services.Archive.Store, services.Storage.ShardsPerTenant);
        memory = new MemoryReturn(services.Replication.Time);
        upkeep = Task.Run(() => EveryAsync(UpkeepEvery, MaintainAsync));
        archiving = Task.Run(() => EveryAsync(services.Storage.Archive.WorkEvery, () => EachAsync(s => s.ArchiveAsync(stopping.Token))));
        sweeping = Task.Run(() => EveryAsync(SweepEvery, SweepAsync));
        resting = Task.Run(() => EveryAsync(RestEvery, () => services.Replication.Replicas.RestAsync().AsTask()));
    }

    /// <inheritdoc/>
    public NodeId Id => services.Replication.Replicas.Node;

    /// <inheritdoc/>
    public TenantShardMaps Maps { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ShardStatus> Shards => [.. Owned().Select(s => s.Status)];

    private IObjectStore Store => services.Archive.Store;

    /// <summary>Opens a node on a folder, which is made if it is not there. No shard is open yet.</summary>
    /// <param name="storage">Where and how to store.</param>
    /// <param name="replication">How logs are replicated.</param>
    /// <param name="engine">How shards evaluate fragments.</param>
    /// <param name="store">Where manifests and blocks are; stays the caller's.</param>
    /// <param name="transport">The way to other nodes' <see cref="IShardNode.AnswerLogAsync"/>.</param>
    /// <param name="choice">Which nodes may become followers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="report">Is told, in a sentence, what an operator should know.</param>
    /// <param name="crowded">Which followers should be elsewhere; null when they stay where they are.</param>
    /// <exception cref="ArgumentException">An option is out of bounds.</exception>
    /// <exception cref="DataDirectoryInUseException">Another process has the folder.</exception>
    /// <exception cref="IOException">The folder can't be used.</exception>
    public static ShardNode Open(
        StorageOptions storage, ReplicationOptions replication, EngineOptions engine, IObjectStore store, ILogTransport transport, FollowerChoice choice, TimeProvider time, Action<string> report,
        CrowdedMember? crowded = null)
    {
        foreach (var complaint in storage.Validate().Concat(replication.Validate().OfType<string>()))
        {
            throw new ArgumentException(complaint, nameof(storage));
        }

        var data = DataDirectory.Take(storage.DataDirectory);
        try
        {
            var replicas = LogReplicas.Open(data.Node(), data.Replicas, new Storage.LogOptions { Fsync = storage.Fsync, FsyncInterval = storage.FsyncInterval }, time, report);
            var archive = ArchiveServices.Over(store, data, storage.Archive, time);
            return new ShardNode(new NodeServices(data, storage, archive, new ReplicationServices(replicas, transport, choice, replication, time, report) { Crowded = crowded }, engine, new TenantSeriesBounds()));
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void LimitSeries(Func<TenantId, SeriesLimits> limits) => services.Series.Limit(limits);

    /// <inheritdoc/>
    public long SamplesAppended(TenantId tenant) => services.Series.Of(tenant).Samples;

    /// <inheritdoc/>
    public void ShareSeries(ISeriesLedger ledger) => services.Series.Share(ledger, services.Replication.Time);

    /// <inheritdoc/>
    public SeriesHolding ReclaimSeries(TenantId tenant, long since) => services.Series.Of(tenant).Reclaim(since);

    /// <inheritdoc/>
    public IShard? Find(ShardId shard) => Held(shard) is { Opening.IsCompletedSuccessfully: true } owned ? owned.Shard : null;

    /// <inheritdoc/>
    public TimeSpan IdleFor(ShardId shard) => Held(shard)?.Shard.IdleFor ?? TimeSpan.Zero;

    /// <inheritdoc/>
    public async ValueTask<IShard> OpenShardAsync(ShardId shard, CancellationToken cancellation)
    {
        while (true)
        {
            OwnedShard owned;
            lock (gate)
            {
                if (leaving)
                {
                    throw new ShardUnavailableException(shard, "its node is closing");
                }

                if (!shards.TryGetValue(shard, out owned!))
                {
                    owned = new OwnedShard(shard, services);
                    shards.Add(shard, owned);
                    _ = RemoveWhenGoneAsync(shard, owned);
                }
            }

            try
            {
                var wasOpen = owned.Opening.IsCompleted;
                await owned.Opening.WaitAsync(cancellation);
                if (!wasOpen || !(owned.Shard.IsFenced || owned.Shard.IsMoved || await owned.IsOvertakenAsync()))
                {
                    return owned.Shard;
                }

                await RemovedAsync(shard, owned).WaitAsync(cancellation);
            }
            catch (ShardUnavailableException)
            {
                await RemovedAsync(shard, owned).WaitAsync(cancellation);
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask CloseShardAsync(ShardId shard)
    {
        if (Held(shard) is { } owned)
        {
            await RemovedAsync(shard, owned);
        }
    }

    /// <inheritdoc/>
    public async ValueTask CloseShardsAsync()
    {
        lock (gate)
        {
            leaving = true;
        }

        await Task.WhenAll(Owned().Select(s => RemovedAsync(s.Shard.Id, s)));
    }

    /// <inheritdoc/>
    public async ValueTask CloseTenantAsync(TenantId tenant) => await Task.WhenAll(Owned().Where(s => s.Shard.Id.Tenant == tenant).Select(s => RemovedAsync(s.Shard.Id, s)));

    /// <inheritdoc/>
    public async ValueTask RemoveTenantAsync(TenantId tenant, CancellationToken cancellation)
    {
        await CloseTenantAsync(tenant);
        await services.Replication.Replicas.SweepAsync(tenant, Store, cancellation);
        services.Data.Delete(tenant);
    }

    /// <inheritdoc/>
    public async ValueTask SealShardAsync(ShardId shard, SealRequest request, CancellationToken cancellation)
    {
        await OpenShardAsync(shard, cancellation);
        await (Held(shard)?.Shard ?? throw new ShardUnavailableException(shard, "it was closed meanwhile")).SealAsync(request, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseShardAsync(ShardId shard, CancellationToken cancellation)
    {
        if (Held(shard) is { } owned)
        {
            await owned.Shard.ReleaseAsync(cancellation);
        }
    }

    /// <inheritdoc/>
    public Task ClosedAsync(ShardId shard) => Held(shard) is { } owned ? owned.Shard.Gone : Task.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask CatchUpAsync(ShardId shard, CancellationToken cancellation)
    {
        if (Held(shard) is not null)
        {
            return;
        }

        try
        {
            await ReplicatedLog.CatchUpAsync(shard, Store, services.Replication, cancellation);
        }
        catch (Exception e) when (e is IOException or EpochLostException or InvalidDataException)
        {
            throw new ShardUnavailableException(shard, e.Message, e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<NodeId>> HoldersAsync(ShardId shard, CancellationToken cancellation)
    {
        try
        {
            var manifest = await ManifestFile.PeekAsync(Store, shard, cancellation);
            return [.. (manifest?.Log?.Nodes ?? []).Select(n => new NodeId(n))];
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new ShardUnavailableException(shard, e.Message, e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> IsWorkDueAsync(ShardId shard, CancellationToken cancellation)
    {
        try
        {
            var manifest = await ManifestFile.PeekAsync(Store, shard, cancellation);
            return manifest is not null && ArchiveDue.Of(manifest, services.Storage.Of(shard.Tenant).Archive, services.Replication.Time.GetUtcNow());
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new ShardUnavailableException(shard, e.Message, e);
        }
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> AnswerLogAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation) => services.Replication.Replicas.AnswerAsync(message, cancellation);

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> AnswerShardAsync(ShardId shard, ReadOnlyMemory<byte> call, CancellationToken cancellation) =>
        ShardServer.AnswerAsync(shard, Find(shard) as Shard, call, cancellation);

    /// <inheritdoc/>
    public void OnNodeLost(NodeId node)
    {
        foreach (var owned in Owned())
        {
            owned.OnNodeLost(node);
        }
    }

    /// <summary>Hands over all shards, side by side, and lets the folder go.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            if (disposed)
            {
                return;
            }

            (disposed, leaving) = (true, true);
        }

        await stopping.CancelAsync();
        await upkeep;
        await archiving;
        await sweeping;
        await resting;
        await Task.WhenAll(Owned().Select(s => s.DisposeAsync().AsTask()));
        await services.Replication.Replicas.DisposeAsync();
        services.Archive.Opener.Dispose();
        services.Data.Dispose();
        stopping.Dispose();
    }

    private OwnedShard? Held(ShardId shard)
    {
        lock (gate)
        {
            return shards.GetValueOrDefault(shard);
        }
    }

    private List<OwnedShard> Owned()
    {
        lock (gate)
        {
            return [.. shards.Values];
        }
    }

    /// <summary>Closes a shard, and only then forgets it: until its files are let go it must not be opened again here.</summary>
    private async Task RemovedAsync(ShardId shard, OwnedShard owned)
    {
        await owned.DisposeAsync();
        lock (gate)
        {
            if (shards.GetValueOrDefault(shard) == owned)
            {
                shards.Remove(shard);
            }
        }
    }

    private async Task RemoveWhenGoneAsync(ShardId shard, OwnedShard owned)
    {
        await owned.Shard.Gone;
        await RemovedAsync(shard, owned);
    }

    private async Task MaintainAsync()
    {
        await EachAsync(s => s.MaintainAsync(stopping.Token));
        memory.ReturnWhenDue((services.Replication.Replicas.Awake * MemoryReturn.ReplicaBytes) + Owned().Sum(static s => s.Shard.Statistics.HeadMemoryBytes + MemoryReturn.ShardOverheadBytes));
    }

    private async Task EachAsync(Func<OwnedShard, Task> look)
    {
        foreach (var owned in Owned())
        {
            await look(owned);
        }
    }

    private async Task SweepAsync()
    {
        try
        {
            await services.Replication.Replicas.SweepAsync(Store, stopping.Token);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            services.Replication.Report($"replicas that are needed no more could not be looked for, and will be: {e.Message}");
        }
    }

    private async Task EveryAsync(TimeSpan every, Func<Task> work)
    {
        using var timer = new PeriodicTimer(every, services.Replication.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
            {
                await work();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node is closing.
        }
    }
}
