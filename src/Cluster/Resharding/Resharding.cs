using System.Collections.Concurrent;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Runs splits and merges: one of a tenant at a time, whoever else may try (docs/splitting.md). Thread-safe.</summary>
/// <remarks>
/// <code>
///   announce (map v+1) ──► seal parents ──► children's manifests ──► decide (map v+2) ──► adopt
///        └───────────────────┴───────────────────┴──► give up (map v+2, the old ranges) ──► adopt
/// </code>
/// The map's next version decides, by compare-and-swap, so a change happens or does not, whatever crashes: until then whoever opens a sealed parent gives it up, and from then on nobody can.
/// </remarks>
public sealed class Resharding
{
    private readonly TenantShardMaps maps;
    private readonly Succession succession;
    private readonly IShardOwners owners;
    private readonly ReshardingOptions options;
    private readonly TimeProvider time;
    private readonly Mutant mutant;
    private readonly Action<string> step;
    private readonly ConcurrentDictionary<TenantId, ShardChangeStatus> running = new();
    private long splits;
    private long merges;
    private long failures;

    /// <summary>Makes it.</summary>
    /// <param name="store">Where manifests and maps are.</param>
    /// <param name="maps">The shard maps.</param>
    /// <param name="owners">The way to the shards.</param>
    /// <param name="options">How long things may take.</param>
    /// <param name="time">The clock.</param>
    public Resharding(IObjectStore store, TenantShardMaps maps, IShardOwners owners, ReshardingOptions options, TimeProvider time)
        : this(store, maps, owners, options, time, Mutant.None, null)
    {
    }

    internal Resharding(IObjectStore store, TenantShardMaps maps, IShardOwners owners, ReshardingOptions options, TimeProvider time, Mutant mutant, Action<string>? step)
    {
        this.maps = maps;
        this.owners = owners;
        this.options = options;
        this.time = time;
        this.mutant = mutant;
        this.step = step ?? (static _ => { });
        succession = new Succession(store, maps, time, mutant);
    }

    /// <summary>What is under way here.</summary>
    public IReadOnlyList<ShardChangeStatus> Running => [.. running.Values];

    /// <summary>True while a change of a tenant's shards is run here.</summary>
    public bool IsRunning(TenantId tenant) => running.ContainsKey(tenant);

    /// <summary>What became of those that were run here.</summary>
    public ReshardingCounts Counts => new(Volatile.Read(ref splits), Volatile.Read(ref merges), Volatile.Read(ref failures));

    /// <summary>Splits a shard; completes when its children serve.</summary>
    /// <exception cref="ArgumentException">There is no such shard, another change of its tenant is under way, or it can't be split further.</exception>
    /// <exception cref="ShardUnavailableException">It can't be done now; the shard goes on, or will when it is asked for.</exception>
    public ValueTask SplitAsync(ShardId shard, CancellationToken cancellation) =>
        shard.Range.Bits >= ReshardingOptions.MaxBits
            ? throw new ArgumentException($"shard {shard} can't be split further", nameof(shard))
            : RunAsync(shard.Tenant, ShardMapChange.Split(shard.Range, time.GetUtcNow()), cancellation);

    /// <summary>Merges a shard with the one that has the other half of the next larger range; completes when the merged one serves.</summary>
    /// <exception cref="ArgumentException">As of <see cref="SplitAsync"/>; or the other half is not one shard.</exception>
    /// <exception cref="ShardUnavailableException">As there.</exception>
    public ValueTask MergeAsync(ShardId shard, CancellationToken cancellation) =>
        shard.Range.Bits == 0
            ? throw new ArgumentException($"shard {shard} is all there is of its tenant", nameof(shard))
            : RunAsync(shard.Tenant, ShardMapChange.Merge(shard.Range.Parent, time.GetUtcNow()), cancellation);

    private async ValueTask RunAsync(TenantId tenant, ShardMapChange change, CancellationToken cancellation)
    {
        var status = new ShardChangeStatus(tenant.Value, [.. change.Parents.Select(p => p.ToString())], [.. change.Children.Select(c => c.ToString())], ShardChangeStep.Announcing, change.At);
        if (!running.TryAdd(tenant, status))
        {
            throw new ArgumentException($"another change of tenant {tenant}'s shards is under way", nameof(tenant));
        }

        try
        {
            await RunAsync(tenant, change, at => running[tenant] = status with { Step = at }, cancellation);
            Interlocked.Increment(ref change.IsSplit ? ref splits : ref merges);
        }
        catch (Exception e) when (e is not ArgumentException)
        {
            Interlocked.Increment(ref failures);
            throw;
        }
        finally
        {
            running.TryRemove(tenant, out _);
        }
    }

    private async ValueTask RunAsync(TenantId tenant, ShardMapChange change, Action<ShardChangeStep> reach, CancellationToken cancellation)
    {
        await CheckAsync(tenant, change, cancellation);
        await owners.PrepareAsync(tenant, change, cancellation);
        ShardMap announced;
        try
        {
            step("the change is prepared");
            announced = await maps.AnnounceAsync(tenant, change, cancellation);
        }
        catch (Exception e) when (e is not ArgumentException)
        {
            // It may be announced all the same.
            var now = await maps.FindAsync(tenant, CancellationToken.None);
            await AdoptAsync(tenant, now?.Change?.Id == change.Id ? await maps.DecideAsync(tenant, now.Version, isDone: false, time.GetUtcNow(), CancellationToken.None) : now, change);
            throw;
        }

        ShardMap? decided;
        try
        {
            step("the change is announced");
            reach(ShardChangeStep.Sealing);
            await SealAsync(tenant, change, announced.Version, cancellation);
            decided = await MakeAndDecideAsync(tenant, change, announced.Version, reach, cancellation);
        }
        catch
        {
            // It may be decided all the same, when only the answer was lost; then that is what counts.
            decided = await maps.DecideAsync(tenant, announced.Version, isDone: false, time.GetUtcNow(), CancellationToken.None);
            await AdoptAsync(tenant, decided, change);
            if (decided is null || !change.Children.All(decided.Has))
            {
                throw;
            }

            return;
        }

        step("the change is decided");
        reach(ShardChangeStep.Adopting);
        await AdoptAsync(tenant, decided, change);
        if (decided is null || !change.Children.All(decided.Has))
        {
            throw new ShardUnavailableException(new ShardId(tenant, change.Parents[0]), "it was opened meanwhile, and the change was given up");
        }
    }

    private async ValueTask<ShardMap?> MakeAndDecideAsync(TenantId tenant, ShardMapChange change, long announced, Action<ShardChangeStep> reach, CancellationToken cancellation)
    {
        if (mutant == Mutant.SwapsMapBeforeChildren)
        {
            await maps.DecideAsync(tenant, announced, isDone: true, time.GetUtcNow(), cancellation);
        }

        reach(ShardChangeStep.MakingChildren);
        foreach (var child in change.Children)
        {
            await succession.MakeChildAsync(tenant, child, change, announced, cancellation);
            step("a child has its manifest");
        }

        reach(ShardChangeStep.Deciding);
        return await maps.DecideAsync(tenant, announced, isDone: true, time.GetUtcNow(), cancellation);
    }

    private async ValueTask SealAsync(TenantId tenant, ShardMapChange change, long announced, CancellationToken cancellation)
    {
        if (mutant == Mutant.SplitsUnsealedShards)
        {
            return;
        }

        var request = new SealRequest(announced, MustBeNarrow: !change.IsSplit);
        using var patience = new CancellationTokenSource(options.SealTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
        try
        {
            if (change.Parents.Count > 1)
            {
                await Task.WhenAll(change.Parents.Select(p => owners.SealAsync(new ShardId(tenant, p), request with { OnlyPrepares = true }, either.Token).AsTask()));
            }

            foreach (var parent in change.Parents)
            {
                await owners.SealAsync(new ShardId(tenant, parent), request, either.Token);
                step("a parent is sealed");
            }
        }
        catch (OperationCanceledException e) when (patience.IsCancellationRequested)
        {
            throw new ShardUnavailableException(new ShardId(tenant, change.Parents[0]), $"its head could not be put into blocks within {options.SealTimeout}", e);
        }
    }

    /// <summary>Refuses what can't be, before anything is done; gives up a change that nobody has finished for long.</summary>
    private async ValueTask CheckAsync(TenantId tenant, ShardMapChange change, CancellationToken cancellation)
    {
        var now = await maps.FindAsync(tenant, cancellation) ?? throw new ArgumentException($"there is no tenant {tenant}", nameof(tenant));
        if (now.Change is { } other && time.GetUtcNow() - other.At >= options.GivenUpAfter)
        {
            now = await maps.DecideAsync(tenant, now.Version, isDone: false, time.GetUtcNow(), cancellation) ?? throw new ArgumentException($"there is no tenant {tenant}", nameof(tenant));
        }

        _ = now.Announcing(change);
    }

    private async ValueTask AdoptAsync(TenantId tenant, ShardMap? map, ShardMapChange change)
    {
        if (map is not null)
        {
            await owners.AdoptAsync(tenant, map, change, CancellationToken.None);
            step("the change is adopted");
        }
    }
}
