using System.Collections.Concurrent;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>All tenants and shards in this process, on a local folder (LAYOUT.md).</summary>
/// <remarks>
/// Tenants found in the folder are opened when the cluster starts, their logs replayed side by side; those that only object storage knows, when they are first asked for; new ones when first
/// written to. One loop cuts heads, another works on the blocks, each one shard at a time, so that neither takes more than a processor and a slow store holds up no cut. Thread-safe.
/// </remarks>
public sealed partial class InProcessCluster : ICluster
{
    /// <summary>How often each shard is looked after.</summary>
    public static readonly TimeSpan UpkeepEvery = TimeSpan.FromSeconds(5);

    private readonly StorageOptions options;
    private readonly EngineOptions engine;
    private readonly TimeProvider time;
    private readonly ShardStoreOpener opener;
    private readonly Action<string> report;
    private readonly DataDirectory data;
    private readonly ArchiveServices services;
    private readonly TenantShardMaps maps;
    private readonly TenantSeriesBounds bounds;
    private readonly ConcurrentDictionary<TenantId, Tenant> tenants = new();
    private readonly SemaphoreSlim making = new(1, 1);
    private readonly SemaphoreSlim replaying;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task starting;
    private readonly Task upkeep;
    private readonly Task archiving;
    private readonly Task resumed;
    private readonly Task splitting;
    private Shard[] replayedShards = [];
    private int disposed;

    private InProcessCluster(StorageOptions options, EngineOptions engine, TimeProvider time, ShardStoreOpener opener, Action<string> report, DataDirectory data, ArchiveServices services, TenantSeriesBounds bounds, Action<string>? step)
    {
        this.bounds = bounds;
        this.options = options;
        this.engine = engine;
        this.time = time;
        this.opener = opener;
        this.report = report;
        this.data = data;
        this.services = services;
        maps = new TenantShardMaps(services.Store, options.ShardsPerTenant);
        erasure = new TenantErasure(services.Store);
        replaying = new SemaphoreSlim(options.ReplayConcurrency, options.ReplayConcurrency);
        resharding = new Resharding(services.Store, maps, this, options.Resharding, time, services.Mutant, step);
        rates = new SteadyRates(options.Resharding.RateOver, time);
        OpenExisting();
        starting = Task.WhenAll([.. Array.ConvertAll(replayedShards, OpenShardAsync), ResumeChangesAsync()]);
        upkeep = Task.Run(() => LookAfterAsync(UpkeepEvery, shard => shard.MaintainAsync(stopping.Token), ResumeChangesAsync));
        archiving = Task.Run(() => LookAfterAsync(options.Archive.WorkEvery, shard => shard.ArchiveAsync(stopping.Token)));
        splitting = options.Resharding.Every > TimeSpan.Zero ? Task.Run(() => EveryAsync(options.Resharding.Every, ReshardAsync)) : Task.CompletedTask;
        resumed = Task.Run(DeleteMarkedAsync);
    }

    /// <summary>Completes when the logs found at the start are replayed.</summary>
    public Task Ready => starting;

    /// <inheritdoc/>
    public IObjectStore? Objects => services.Store;

    /// <inheritdoc/>
    public ReplayProgress Progress
    {
        get
        {
            var done = 0L;
            var total = 0L;
            var ready = 0;
            foreach (var shard in replayedShards)
            {
                done += shard.Meter.ReplayedBytes;
                total += shard.Meter.TotalBytes;
                ready += shard.IsReady ? 1 : 0;
            }

            return new ReplayProgress(starting.IsCompleted, done, total, ready, replayedShards.Length);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<ITenant> Tenants => [.. tenants.Values];

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<TenantId>> ListTenantsAsync(CancellationToken cancellation) => [.. (await maps.ExistingAsync(tenants.Keys, cancellation)).Where(t => !deleting.ContainsKey(t))];

    /// <inheritdoc/>
    public void LimitSeries(Func<TenantId, SeriesLimits> limits) => bounds.Limit(limits);

    /// <inheritdoc/>
    public long SamplesAppended(TenantId tenant) => bounds.Of(tenant).Samples;

    /// <inheritdoc/>
    public async ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation) =>
        tenants.TryGetValue(tenant, out var open) ? open : await MakeAsync(tenant, cancellation);

    /// <inheritdoc/>
    public async ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation) =>
        tenants.TryGetValue(tenant, out var open) ? open
        : deleting.ContainsKey(tenant) ? null
        : data.Exists(tenant) || await maps.FindAsync(tenant, cancellation) is not null ? await MakeAsync(tenant, cancellation)
        : null;

    /// <summary>Takes no more writes, flushes all logs, and lets the folder go.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await stopping.CancelAsync();
        await starting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await upkeep;
        await archiving;
        await resumed;
        await splitting;
        await making.WaitAsync();
        foreach (var tenant in tenants.Values)
        {
            await tenant.CloseAsync();
        }

        services.Opener.Dispose();
        await services.Store.DisposeAsync();
        data.Dispose();
        stopping.Dispose();
        making.Dispose();
        replaying.Dispose();
    }

    /// <summary>Opens a data directory, making it if it is not there; replay may go on when this returns.</summary>
    /// <param name="options">Where and how to store.</param>
    /// <param name="engine">How shards evaluate fragments.</param>
    /// <param name="time">The clock.</param>
    /// <param name="report">Is told, in a sentence, what an operator should know: damage found, work that failed and will be tried again.</param>
    /// <param name="store">Where blocks go, the cluster's from now on; null for the folder <c>bucket</c> of the data directory.</param>
    /// <exception cref="ArgumentException">An option is out of bounds.</exception>
    /// <exception cref="DataDirectoryInUseException">Another process has the directory.</exception>
    /// <exception cref="IOException">The directory can't be used.</exception>
    public static InProcessCluster Open(StorageOptions options, EngineOptions engine, TimeProvider time, Action<string> report, IObjectStore? store = null) =>
        Open(options, engine, time, null, report, store);

    /// <summary>Opens a folder with stores of the given kind, or those of <see cref="ShardStore"/>.</summary>
    internal static InProcessCluster Open(
        StorageOptions options, EngineOptions engine, TimeProvider time, ShardStoreOpener? opener, Action<string> report, IObjectStore? store = null, Action<string>? step = null, Mutant mutant = Mutant.None)
    {
        foreach (var complaint in options.Validate())
        {
            throw new ArgumentException(complaint, nameof(options));
        }

        var taken = DataDirectory.Take(options.DataDirectory);
        try
        {
            var bucket = store ?? FileSystemObjectStore.Open(taken.Bucket, time);
            var shared = ArchiveServices.Over(bucket, taken, options.Archive, time) with { Mutant = mutant };
            var active = new TenantSeriesBounds();
            opener ??= async (shard, folder, meter, cancellation) =>
            {
                var own = options.Of(shard) with { ActiveSeries = active.Of(shard.Tenant) };
                return await ShardStore.OpenAsync(shard, folder, own, shared with { Options = own.Archive }, meter, text => report($"shard {shard}: {text}"), cancellation, step);
            };
            return new InProcessCluster(options, engine, time, opener, report, taken, shared, active, step);
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    private void OpenExisting()
    {
        var shards = new List<Shard>();
        foreach (var id in data.ExistingTenants())
        {
            try
            {
                var tenant = Load(id);
                SweepFolders(tenant);
                tenants[id] = tenant;
                shards.AddRange(tenant.Owned);
            }
            catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
            {
                // The other tenants must not notice; whoever asks for this one is told again.
                report($"tenant {id} can't be opened: {e.Message}");
            }
        }

        replayedShards = [.. shards];
    }

    private async Task<Tenant> MakeAsync(TenantId id, CancellationToken cancellation)
    {
        await making.WaitAsync(cancellation);
        try
        {
            if (tenants.TryGetValue(id, out var open))
            {
                return open;
            }

            ObjectDisposedException.ThrowIf(Volatile.Read(ref disposed) != 0, this);
            if (deleting.ContainsKey(id))
            {
                throw new ShardUnavailableException(new ShardId(id, HashRange.Everything), "the tenant is being deleted");
            }

            var folder = data.FolderOf(id);
            if (!data.Exists(id))
            {
                var map = await maps.OpenAsync(id, cancellation);
                map = map.Change is null ? map : await maps.DecideAsync(id, map.Version, isDone: false, time.GetUtcNow(), cancellation) ?? map;
                Directory.CreateDirectory(folder);
                map.Save(folder);
                DurableFile.FlushFolder(Path.GetDirectoryName(folder)!);
            }

            var tenant = Load(id);
            SweepFolders(tenant);
            await Task.WhenAll(Array.ConvertAll(tenant.Owned, OpenShardAsync));
            tenants[id] = tenant;
            return tenant;
        }
        finally
        {
            making.Release();
        }
    }

    private Tenant Load(TenantId id)
    {
        var folder = data.FolderOf(id);
        var map = ShardMap.Load(folder) ?? throw new InvalidDataException($"tenant {id} has no {ShardMap.FileName} in {folder}");
        var shards = new Shard[map.Ranges.Count];
        for (var i = 0; i < shards.Length; i++)
        {
            shards[i] = NewShard(id, map.Ranges[i]);
        }

        return new Tenant(id, data.Path, map, shards, TenantMetadata.Open(folder), time);
    }

    private async Task OpenShardAsync(Shard shard)
    {
        await replaying.WaitAsync(stopping.Token);
        try
        {
            await shard.OpenAsync(stopping.Token);
        }
        finally
        {
            replaying.Release();
        }
    }

    private Task LookAfterAsync(TimeSpan every, Func<Shard, Task> look, Func<Task>? andThen = null) => EveryAsync(every, async () =>
    {
        foreach (var tenant in tenants.Values)
        {
            foreach (var shard in tenant.Owned)
            {
                await look(shard);
            }
        }

        await (andThen?.Invoke() ?? Task.CompletedTask);
    });

    private async Task EveryAsync(TimeSpan every, Func<Task> work)
    {
        using var timer = new PeriodicTimer(every, time);
        try
        {
            await starting;

            // At once after the replay: the head may have come back longer than it may be.
            do
            {
                await work();
            }
            while (await timer.WaitForNextTickAsync(stopping.Token));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The cluster is shutting down.
        }
    }
}
