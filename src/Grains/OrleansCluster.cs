using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

/// <summary>The cluster as the gateway of one of its silos sees it: tenants by the maps in the bucket, shards behind their grains. Thread-safe.</summary>
public sealed partial class OrleansCluster : ICluster, IClusterControl, IReplicaElector
{
    /// <summary>How often maps are read again and metadata is exchanged.</summary>
    private static readonly TimeSpan refreshEvery = TimeSpan.FromSeconds(30);

    /// <summary>How long those wait whom a shard has sent away before its successors are there.</summary>
    private static readonly TimeSpan refreshRetry = TimeSpan.FromMilliseconds(100);

    private readonly SiloContext silo;
    private readonly SiloDirectory directory;
    private readonly SiloWatch watch;
    private readonly SiloServiceClient silos;
    private readonly ShardHandOver handOver;
    private readonly Resharding resharding;
    private readonly TenantDemands demands;
    private readonly IGrainFactory grains;
    private readonly ILocalSiloDetails self;
    private readonly TimeProvider time;
    private readonly ILogger<OrleansCluster> logger;
    private readonly ConcurrentDictionary<TenantId, Task<ClusterTenant>> tenants = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly Task refreshing;
    private int disposed;

    /// <summary>A gateway over the silo whose services these are.</summary>
    public OrleansCluster(IServiceProvider services)
    {
        silo = services.GetRequiredService<SiloContext>();
        directory = services.GetRequiredService<SiloDirectory>();
        watch = services.GetRequiredService<SiloWatch>();
        silos = services.GetRequiredService<SiloServiceClient>();
        handOver = services.GetRequiredService<ShardHandOver>();
        resharding = services.GetRequiredService<Resharding>();
        demands = services.GetRequiredService<TenantDemands>();
        grains = services.GetRequiredService<IGrainFactory>();
        self = services.GetRequiredService<ILocalSiloDetails>();
        time = services.GetRequiredService<TimeProvider>();
        logger = services.GetRequiredService<ILogger<OrleansCluster>>();
        counts = services.GetRequiredService<SiloCounts>();
        queries = services.GetRequiredService<SiloQueries>();
        closings = services.GetRequiredService<TenantClosings>();
        erasure = new TenantErasure(silo.Store);
        closings.Add(Forget);
        Rules = services.GetRequiredService<SiloRules>();
        refreshing = Task.Run(RefreshAsync);
    }

    /// <inheritdoc/>
    public ReplayProgress Progress
    {
        get
        {
            var (done, all, replayed, shards) = (0L, 0L, 0, 0);
            foreach (var shard in silo.Node?.Shards ?? [])
            {
                done += shard.Replay.Done;
                all += shard.Replay.All;
                replayed += shard.State == ShardState.Open ? 1 : 0;
                shards++;
            }

            // A shard that is being opened here is no reason to send requests elsewhere: it would be opening there too.
            return new ReplayProgress(watch.IsActive, done, all, replayed, shards);
        }
    }

    /// <inheritdoc/>
    public IObjectStore Objects => silo.Store;

    /// <inheritdoc/>
    public IReadOnlyList<ITenant> Tenants => [.. Open];

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<TenantId>> ListTenantsAsync(CancellationToken cancellation) => silo.Maps.ExistingAsync(Open.Select(static t => t.Id), cancellation);

    /// <inheritdoc/>
    public IClusterControl Control => this;

    /// <inheritdoc/>
    public IRuleCluster? Rules { get; }

    /// <inheritdoc/>
    public IReplicaElector Elector => this;

    /// <inheritdoc/>
    public double ShareOf(TenantId tenant, double demand)
    {
        demands.Note(tenant.Value, demand);
        return RateShare.Of(demand, directory.DemandElsewhere(tenant.Value, self.SiloAddress), Math.Max(1, directory.Gateways));
    }

    /// <inheritdoc/>
    public IReadOnlyList<ClusterSilo> Silos =>
        [.. directory.Silos.OrderBy(static s => s.Address.ToParsableString(), StringComparer.Ordinal).Select(s => new ClusterSilo(s.Address.ToParsableString(), s.Status.ToString(), s.Card, directory.ReportOf(s.Address)))];

    private IEnumerable<ClusterTenant> Open => tenants.Values.Where(static t => t.IsCompletedSuccessfully).Select(static t => t.Result);

    /// <inheritdoc/>
    public async ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation) =>
        await OpenOnceAsync(tenant, async () => await silo.Maps.OpenAsync(tenant, CancellationToken.None), cancellation) ?? throw new InvalidOperationException($"tenant {tenant} has no shards");

    /// <inheritdoc/>
    public async ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation) =>
        await OpenOnceAsync(tenant, async () => await silo.Maps.FindAsync(tenant, CancellationToken.None), cancellation);

    /// <inheritdoc/>
    public async ValueTask<ITenant?> PeekTenantAsync(TenantId tenant, CancellationToken cancellation) =>
        tenants.TryGetValue(tenant, out var known) && known.IsCompletedSuccessfully ? known.Result : await silo.Maps.FindAsync(tenant, cancellation) is { } map ? TenantOf(tenant, map) : null;

    /// <inheritdoc/>
    public long SamplesAppended(TenantId tenant) => silo.Node?.SamplesAppended(tenant) ?? 0;

    /// <inheritdoc/>
    public ReshardingCounts Resharding => resharding.Counts;

    /// <inheritdoc/>
    public IReadOnlyList<ShardChangeStatus> ShardChanges =>
        [.. resharding.Running, .. directory.Silos.Where(s => !s.Address.Equals(self.SiloAddress)).SelectMany(s => directory.ReportOf(s.Address)?.Changes ?? [])];

    /// <inheritdoc/>
    public async ValueTask SplitAsync(ShardId shard, CancellationToken cancellation)
    {
        await resharding.SplitAsync(shard, cancellation);
        await AdoptMapAsync(shard.Tenant);
    }

    /// <inheritdoc/>
    public async ValueTask MergeAsync(ShardId shard, CancellationToken cancellation)
    {
        await resharding.MergeAsync(shard, cancellation);
        await AdoptMapAsync(shard.Tenant);
    }

    /// <inheritdoc/>
    public async ValueTask MoveAsync(ShardId shard, NodeId to, CancellationToken cancellation)
    {
        if (!directory.Silos.Any(s => s.Card.Node == to && s.Card.HoldsShards))
        {
            throw new ArgumentException($"there is no silo with node {to}", nameof(to));
        }

        try
        {
            if (await handOver.MoveAsync(shard, to, cancellation) is { } problem)
            {
                throw new ShardUnavailableException(shard, problem);
            }

            await WaitOpenAsync(shard, cancellation);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new ShardUnavailableException(shard, e.Message, e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DrainAsync(NodeId silo, CancellationToken cancellation)
    {
        if (directory.Find(silo) is not { } address)
        {
            throw new ArgumentException($"there is no silo with node {silo}", nameof(silo));
        }

        if (!directory.Hosts.Any(h => h.Node != silo))
        {
            throw new ArgumentException($"node {silo} is the only one that holds shards", nameof(silo));
        }

        try
        {
            await silos.Of(address).DrainAsync().WaitAsync(cancellation);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new IOException($"node {silo} did not answer: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ReplicaElection> HearAsync(TenantId tenant, ReplicaSighting seen, CancellationToken cancellation)
    {
        try
        {
            return (await grains.GetGrain<ITenantGrain>(tenant.Value).HearReplicaAsync(new SightingMessage(seen)).AsTask().WaitAsync(cancellation)).ToElection();
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new IOException($"the silo that elects replicas of tenant {tenant} did not answer ({e.GetType().Name})", e);
        }
    }

    /// <summary>Stops refreshing. The silo, its node and the bucket are the caller's.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            closings.Remove(Forget);
            await stopping.CancelAsync();
            await refreshing;
            stopping.Dispose();
        }
    }

    private async Task WaitOpenAsync(ShardId shard, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (await grains.GetGrain<IShardGrain>(ShardKey.Of(shard)).WakeAsync().AsTask().WaitAsync(cancellation) is { Problem: { } problem } reply)
        {
            if (!reply.IsPassing || time.GetElapsedTime(began) > silo.Options.MovePatience)
            {
                throw new ShardUnavailableException(shard, problem);
            }

            await Task.Delay(silo.Options.MoveRetry, time, cancellation);
        }
    }

    /// <summary>The tenant, opened once for all who ask at the same time; null, and not remembered, when it has no map.</summary>
    private async ValueTask<ClusterTenant?> OpenOnceAsync(TenantId id, Func<Task<ShardMap?>> map, CancellationToken cancellation)
    {
        // Fast path: every request but the first.
        if (tenants.TryGetValue(id, out var known) && known.IsCompletedSuccessfully)
        {
            return known.Result;
        }

        if (await map().WaitAsync(cancellation) is not { } found)
        {
            return null;
        }

        var opened = new TaskCompletionSource<ClusterTenant>(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = tenants.GetOrAdd(id, opened.Task);
        if (first == opened.Task)
        {
            var tenant = TenantOf(id, found);
            opened.SetResult(tenant);
            await tenant.Book.ExchangeAsync().WaitAsync(cancellation); // So that the first question about metrics is answered.
        }

        return await first.WaitAsync(cancellation);
    }

    private ClusterTenant TenantOf(TenantId id, ShardMap map) =>
        new(id, new ClusterMetadata(grains.GetGrain<ITenantGrain>(id.Value)), map, ShardOf, () => silo.Maps.FindAsync(id, stopping.Token).AsTask(), refreshRetry, silo.DataDirectory, time);

    private ClusterShard ShardOf(ShardId id) => new(id, silo.Node, new RemoteShard(id, new GrainShardChannel(id, grains.GetGrain<IShardGrain>(ShardKey.Of(id)), silo.Options, time), silo.Store, time), directory.IsOpen, silo.Store);

    private async Task RefreshAsync()
    {
        using var timer = new PeriodicTimer(refreshEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
            {
                foreach (var tenant in Open)
                {
                    await tenant.Book.ExchangeAsync();
                    await RefreshMapAsync(tenant);
                }

                await FinishDeletionsAsync();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The gateway is stopping.
        }
    }

    private async Task AdoptMapAsync(TenantId tenant)
    {
        if (tenants.TryGetValue(tenant, out var open) && open.IsCompletedSuccessfully)
        {
            await RefreshMapAsync(open.Result);
        }
    }

    private async Task RefreshMapAsync(ClusterTenant tenant)
    {
        try
        {
            if (await silo.Maps.FindAsync(tenant.Id, stopping.Token) is { } map)
            {
                tenant.Adopt(map);
            }
            else
            {
                Forget(tenant.Id); // It was deleted, and this silo did not hear of it.
            }
        }
        catch (Exception e) when (e is ShardUnavailableException or InvalidDataException)
        {
            return; // The map in force goes on; a shard that no longer owns a range says so.
        }
    }
}
