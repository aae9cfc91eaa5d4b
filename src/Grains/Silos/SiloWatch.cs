using Metrics.Cluster;
using Metrics.Model;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

/// <summary>What a silo does by itself: tells the others how it is, notices who is gone, evens out shards when that is its turn, and hands its own over before it leaves.</summary>
internal sealed partial class SiloWatch(
    SiloContext silo, SiloDirectory directory, IServiceProvider services, IClusterMembershipService membership, ILocalSiloDetails self, IGrainFactory grains, ShardHandOver handOver, Resharding resharding, SiloRules rules, TenantDemands demands, ShardMoves moves, TimeProvider time, ILogger<SiloWatch> logger)
    : ILifecycleParticipant<ISiloLifecycle>, IDisposable
{
    /// <summary>Above all else: begun when the silo takes part, ended while it still does.</summary>
    private const int Stage = ServiceLifecycleStage.Active + 100;

    /// <summary>How long another silo is waited for when it is told how this one is: it hears it later, or the next.</summary>
    private static readonly TimeSpan tellPatience = TimeSpan.FromSeconds(1);

    /// <summary>How long silos that leave before this one are waited for: one takes a few hundred milliseconds.</summary>
    private static readonly TimeSpan turnPatience = TimeSpan.FromSeconds(5);

    /// <summary>A move that fails again and again is tried once in this time.</summary>
    private static readonly TimeSpan mostHeld = TimeSpan.FromHours(1);

    private static readonly TimeSpan turnCheck = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource stopping = new();
    private readonly SiloReporter reporter = new(silo.Node, time, silo.Options.Resharding.RateOver);
    private readonly MoveAttempts attempts = new(time, 4 * silo.Options.BalanceEvery, mostHeld);
    private readonly SemaphoreSlim reporting = new(1);
    private readonly SemaphoreSlim draining = new(1);
    private volatile bool isLeaving;
    private volatile bool isActive;
    private long endsSince; // UTC ticks; 0 while it does not end.
    private Task work = Task.CompletedTask;

    /// <summary>True from when the silo takes part until it leaves.</summary>
    public bool IsActive => isActive;

    private SiloServiceClient Client => field ??= (SiloServiceClient)services.GetService(typeof(SiloServiceClient))!;

    /// <inheritdoc/>
    public void Participate(ISiloLifecycle observer) => observer.Subscribe(nameof(SiloWatch), Stage, StartAsync, StopAsync);

    /// <summary>Hands over all shards that are open here, and has none placed here any more. One drain at a time.</summary>
    public async Task DrainAsync(CancellationToken cancellation)
    {
        if (silo.Node is null)
        {
            return;
        }

        isLeaving = true;
        await draining.WaitAsync(cancellation);
        try
        {
            await ReportAsync();
            var options = new ParallelOptions { MaxDegreeOfParallelism = silo.Options.DrainConcurrency, CancellationToken = cancellation };
            await Parallel.ForEachAsync(silo.Node.Shards.Select(static s => s.Shard), options, HandOverAsync);
        }
        finally
        {
            draining.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        stopping.Dispose();
        reporting.Dispose();
        draining.Dispose();
    }

    private Task StartAsync(CancellationToken cancellation)
    {
        isActive = true;
        work = Task.WhenAll(
            Task.Run(() => EveryAsync(silo.Options.ReportEvery, ReportAsync), CancellationToken.None),
            Task.Run(FollowRulesAsync, CancellationToken.None),
            Task.Run(FollowMembershipAsync, CancellationToken.None),
            Task.Run(() => EveryAsync(silo.Options.BalanceEvery, BalanceAsync), CancellationToken.None),
            Task.Run(() => EveryAsync(silo.Options.Resharding.Every, ReshardAsync), CancellationToken.None));
        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellation)
    {
        isActive = false;
        using var patience = new CancellationTokenSource(silo.Options.DrainTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
        try
        {
            await DrainAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            LogDrainCut(silo.Node?.Shards.Count ?? 0);
        }

        try
        {
            // What nobody took over, and what was still handed to this silo: who waits for one that is being opened here would hold up the end.
            await (silo.Node?.CloseShardsAsync().AsTask() ?? Task.CompletedTask).WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            LogDrainCut(silo.Node?.Shards.Count ?? 0); // They are closed with the node.
        }

        await AwaitTurnAsync();
        await stopping.CancelAsync();
        await work;
    }

    /// <summary>Silos that leave together do so one after another: of two that change the membership table at the same time Orleans lets one wait for two to four seconds, the next one longer.</summary>
    private async Task AwaitTurnAsync()
    {
        var since = time.GetUtcNow();
        Volatile.Write(ref endsSince, since.UtcTicks);
        await ReportAsync();
        for (var began = time.GetTimestamp(); directory.LeavesBefore(self.SiloAddress, since) && time.GetElapsedTime(began) < turnPatience;)
        {
            await Task.Delay(turnCheck, time, stopping.Token);
        }
    }

    private async ValueTask HandOverAsync(ShardId shard, CancellationToken cancellation)
    {
        try
        {
            var hosts = directory.Hosts.Where(h => h.Node != silo.Card.Node).ToList();
            var holders = await LogHolders.FindAsync(silo.Store, shard, cancellation);
            if (OwnerChoice.Of(shard, hosts, holders) is { } to && await handOver.MoveAsync(shard, to, cancellation) is { } problem)
            {
                LogNotHandedOver(shard, problem);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or OrleansException or TimeoutException)
        {
            LogNotHandedOver(shard, e.Message); // It is closed with the silo, and opens elsewhere.
        }
    }

    private async Task ReportAsync()
    {
        await reporting.WaitAsync(stopping.Token);
        try
        {
            var report = reporter.Report(isLeaving, resharding.Running) with { EvaluatesRules = rules.IsServing, Demands = demands.Report(), Moves = moves.Report(), EndsSince = Volatile.Read(ref endsSince) is var ticks and > 0 ? new DateTimeOffset(ticks, TimeSpan.Zero) : null };
            directory.Hear(self.SiloAddress, report);
            var bytes = new Payload(report.ToJson());
            await Task.WhenAll(directory.Silos.Where(s => !s.Address.Equals(self.SiloAddress)).Select(s => TellAsync(s.Address, bytes)));
        }
        finally
        {
            reporting.Release();
        }
    }

    private async Task TellAsync(SiloAddress to, Payload report)
    {
        try
        {
            await Client.Of(to).HearAsync(self.SiloAddress, report).WaitAsync(silo.Options.ReportEvery < tellPatience ? silo.Options.ReportEvery : tellPatience, time, stopping.Token);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException or OperationCanceledException)
        {
            LogNotTold(to, e.Message); // It hears the next, or membership finds that it is gone.
        }
    }

    /// <summary>Others hear at once that this silo begins or ceases to evaluate rules: a tick may hang on it.</summary>
    private async Task FollowRulesAsync()
    {
        try
        {
            while (true)
            {
                await rules.ChangedAsync(stopping.Token);
                await ReportAsync();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The silo is leaving.
        }
    }

    private async Task FollowMembershipAsync()
    {
        var before = new Dictionary<SiloAddress, SiloCard>();
        try
        {
            await foreach (var _ in membership.MembershipUpdates.WithCancellation(stopping.Token))
            {
                var now = directory.Silos.ToDictionary(static s => s.Address, static s => s.Card);
                foreach (var (address, card) in before)
                {
                    if (!now.ContainsKey(address) && card.HoldsShards)
                    {
                        OnSiloGone(address, card, now.Values);
                    }
                }

                before = now;
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The silo is leaving.
        }
    }

    /// <summary>Its replicas are replaced unless its disk is back already, and its shards are opened elsewhere even if nobody calls them: their logs lack a replica.</summary>
    private void OnSiloGone(SiloAddress address, SiloCard card, IEnumerable<SiloCard> others)
    {
        if (others.All(o => o.Node != card.Node))
        {
            LogSiloGone(address, card.Node.Value);
            silo.Node?.OnNodeLost(card.Node);
        }

        foreach (var shard in directory.ReportOf(address)?.Shards ?? [])
        {
            if (isActive && shard.Followers.Any(f => f.Node == silo.Card.Node.Value) && shard.TryGetShard(out var id))
            {
                _ = WakeAsync(id);
            }
        }
    }

    private async Task WakeAsync(ShardId shard)
    {
        try
        {
            await grains.GetGrain<IShardGrain>(ShardKey.Of(shard)).WakeAsync();
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            LogNotWoken(shard, e.Message);
        }
    }

    /// <summary>The oldest of the silos that hold shards evens them out. Should two believe that they are, a shard is moved once too often.</summary>
    private async Task BalanceAsync()
    {
        var hosts = directory.Hosts;
        if (!directory.IsEldestHost(self.SiloAddress) || hosts.Any(h => directory.Find(h.Node) is not { } at || directory.ReportOf(at) is null))
        {
            return;
        }

        var shards = new List<PlacedShard>();
        foreach (var host in hosts)
        {
            foreach (var shard in directory.ReportOf(directory.Find(host.Node)!)?.Shards ?? [])
            {
                if (shard.State == ShardState.Open && shard.TryGetShard(out var id))
                {
                    var holders = shard.Followers.Where(static f => f is { Lost: null, IsWhole: true }).Select(static f => new NodeId(f.Node));
                    shards.Add(new PlacedShard(id, host.Node, shard.Weight, [.. holders], IsSettled: shard.ObservedSeconds >= 2 * silo.Options.BalanceEvery.TotalSeconds));
                }
            }
        }

        attempts.See(shards);
        if (LoadBalance.Next(hosts, shards, attempts) is { } move)
        {
            attempts.Note(move);
            LogBalancing(move.Shard, move.From.Value, move.To.Value);
            if (await handOver.MoveAsync(move.Shard, move.To, stopping.Token) is { } problem)
            {
                LogNotBalanced(move.Shard, move.To.Value, problem);
            }
        }
    }

    /// <summary>The oldest of the silos that hold shards splits and merges them, one after another. Should two believe that they are, a tenant's map admits one.</summary>
    private async Task ReshardAsync()
    {
        if (!directory.IsEldestHost(self.SiloAddress))
        {
            return;
        }

        var options = silo.Options.Resharding;
        var figures = new List<ShardFigures>();
        foreach (var shard in directory.Hosts.Select(h => directory.Find(h.Node)).OfType<SiloAddress>().SelectMany(a => directory.ReportOf(a)?.Shards ?? []))
        {
            if (shard.State == ShardState.Open && shard.TryGetShard(out var id))
            {
                figures.Add(new ShardFigures(id, shard.HeadSeries, shard.SteadySamplesPerSecond, TimeSpan.FromSeconds(shard.ObservedSeconds)));
            }
        }

        var leastBits = System.Numerics.BitOperations.Log2((uint)silo.Maps.ShardsPerTenant);
        foreach (var ofTenant in figures.GroupBy(static f => f.Shard.Tenant))
        {
            if (ReshardingChoice.Of([.. ofTenant], options, leastBits) is { } step)
            {
                await ReshardAsync(step);
            }
        }
    }

    private async Task ReshardAsync(ReshardingStep step)
    {
        try
        {
            if (await silo.Maps.FindAsync(step.Shard.Tenant, stopping.Token) is { } map && ReshardingChoice.IsDue(step, map, silo.Options.Resharding, time.GetUtcNow()))
            {
                LogResharding(step.Shard, step.IsSplit ? "split" : "merged with its neighbour");
                await (step.IsSplit ? resharding.SplitAsync(step.Shard, stopping.Token) : resharding.MergeAsync(step.Shard, stopping.Token));
            }
        }
        catch (Exception e) when (e is ShardUnavailableException or ArgumentException or InvalidDataException)
        {
            LogNotResharded(step.Shard, e.Message);
        }
    }

    private async Task EveryAsync(TimeSpan period, Func<Task> act)
    {
        if (period <= TimeSpan.Zero)
        {
            return;
        }

        using var timer = new PeriodicTimer(period, time);
        try
        {
            do
            {
                try
                {
                    await act();
                }
                catch (Exception e) when (e is OrleansException or TimeoutException or IOException)
                {
                    LogFailed(e.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(stopping.Token));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The silo is leaving.
        }
    }
}
