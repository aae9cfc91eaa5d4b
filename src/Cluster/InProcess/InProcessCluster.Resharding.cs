using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Splits and merges of this process's shards.</summary>
/// <remarks>
/// Before a change is announced in object storage it is noted in the tenant's <c>shards.json</c>; what was decided is noted before any child takes a write. So a start needs object storage for a tenant's shards only
/// when the process ended in between: then the parents wait until it is known what became of the change, and it is given up if nothing was decided.
/// </remarks>
public sealed partial class InProcessCluster : IShardOwners
{
    private readonly Resharding resharding;
    private readonly SteadyRates rates;

    /// <inheritdoc/>
    public ReshardingCounts Resharding => resharding.Counts;

    /// <inheritdoc/>
    public IReadOnlyList<ShardChangeStatus> ShardChanges => resharding.Running;

    /// <inheritdoc/>
    public async ValueTask SplitAsync(ShardId shard, CancellationToken cancellation)
    {
        await ExistingAsync(shard, cancellation);
        await resharding.SplitAsync(shard, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask MergeAsync(ShardId shard, CancellationToken cancellation)
    {
        await ExistingAsync(shard, cancellation);
        await resharding.MergeAsync(shard, cancellation);
    }

    /// <inheritdoc/>
    async ValueTask IShardOwners.PrepareAsync(TenantId tenant, ShardMapChange change, CancellationToken cancellation)
    {
        await making.WaitAsync(cancellation);
        try
        {
            var open = OpenNow(tenant);
            await maps.EnsureAsync(tenant, open.Map, cancellation);
            foreach (var child in change.Children)
            {
                // What an earlier life of the range left, which a crash kept from being removed.
                DeleteFolder(new ShardId(tenant, child));
            }

            open.Save(open.Map.Noting(change));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ShardUnavailableException(new ShardId(tenant, change.Parents[0]), e.Message, e);
        }
        finally
        {
            making.Release();
        }
    }

    /// <inheritdoc/>
    async ValueTask IShardOwners.SealAsync(ShardId parent, SealRequest request, CancellationToken cancellation)
    {
        var owned = Array.Find(OpenNow(parent.Tenant).Owned, s => s.Id == parent) ?? throw ShardUnavailableException.Moved(parent);
        await owned.SealAsync(request, cancellation);
    }

    /// <inheritdoc/>
    async ValueTask IShardOwners.AdoptAsync(TenantId tenant, ShardMap map, ShardMapChange change, CancellationToken cancellation)
    {
        await making.WaitAsync(cancellation);
        try
        {
            if (tenants.TryGetValue(tenant, out var open))
            {
                await AdoptAsync(open, map);
            }
        }
        finally
        {
            making.Release();
        }
    }

    private async Task AdoptAsync(Tenant tenant, ShardMap map)
    {
        // Before any child takes a write: a start must find it.
        tenant.Save(map);
        var before = tenant.Owned;
        var next = new Shard[map.Ranges.Count];
        for (var i = 0; i < next.Length; i++)
        {
            next[i] = Array.Find(before, s => s.Id.Range == map.Ranges[i]) ?? NewShard(tenant.Id, map.Ranges[i]);
        }

        // One that can't be opened now says so to whoever asks, and is opened in a while.
        await Task.WhenAll(Array.ConvertAll(next, s => s.IsReady ? Task.CompletedTask : s.IsSealed ? s.ReleaseAsync(stopping.Token) : OpenShardAsync(s)));
        if (next.SequenceEqual(before))
        {
            return;
        }

        tenant.Replace(next);
        foreach (var gone in before.Except(next))
        {
            await gone.RetireAsync();
            try
            {
                DeleteFolder(gone.Id);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                report($"shard {gone.Id}: its folder can't be removed, and is in the way of nothing: {e.Message}");
            }
        }
    }

    /// <summary>Finds out what became of changes that were under way when the process ended, or object storage went away; gives up what is not decided.</summary>
    private async Task ResumeChangesAsync()
    {
        foreach (var tenant in tenants.Values)
        {
            if (IsUndecided(tenant))
            {
                await ResumeChangeAsync(tenant);
            }
        }
    }

    private async Task ResumeChangeAsync(Tenant tenant)
    {
        await making.WaitAsync(stopping.Token);
        try
        {
            if (IsUndecided(tenant) && tenants.ContainsKey(tenant.Id) && await maps.FindAsync(tenant.Id, stopping.Token) is { } now)
            {
                var decided = now.Change is null ? now : await maps.DecideAsync(tenant.Id, now.Version, isDone: false, time.GetUtcNow(), stopping.Token);
                report($"tenant {tenant.Id}: its shards' change from {tenant.Map.Change} was under way, and {(decided is not null && tenant.Map.Change!.Children.All(decided.Has) ? "is done" : "was given up")}");
                await AdoptAsync(tenant, decided ?? now);
            }
        }
        catch (Exception e) when (e is ShardUnavailableException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            report($"tenant {tenant.Id}: what became of a split or merge can't be found out, and will be: {e.Message}");
        }
        finally
        {
            making.Release();
        }
    }

    private bool IsUndecided(Tenant tenant) => tenant.Map.Change is not null && !resharding.IsRunning(tenant.Id);

    /// <summary>Splits or merges where that is due.</summary>
    private async Task ReshardAsync()
    {
        var shards = tenants.Values.SelectMany(t => t.Owned).Where(s => s.IsReady).ToList();
        rates.Look(shards.Select(s => (s.Id, s.Statistics.SamplesAppended)));
        foreach (var ofTenant in shards.GroupBy(s => s.Id.Tenant))
        {
            // More shards than processors would take no more samples.
            var limits = ofTenant.Count() < Environment.ProcessorCount ? options.Resharding : options.Resharding with { SplitSamplesPerSecond = 0 };
            var figures = ofTenant.Select(s => rates.Of(s.Id) is var (rate, observed) ? new ShardFigures(s.Id, s.Statistics.HeadSeries, rate, observed) : default).ToList();
            if (ReshardingChoice.Of(figures, limits, System.Numerics.BitOperations.Log2((uint)options.ShardsPerTenant)) is { } step
                && tenants.TryGetValue(ofTenant.Key, out var tenant)
                && ReshardingChoice.IsDue(step, tenant.Map, limits, time.GetUtcNow()))
            {
                await ReshardAsync(step);
            }
        }
    }

    private async Task ReshardAsync(ReshardingStep step)
    {
        try
        {
            await (step.IsSplit ? resharding.SplitAsync(step.Shard, stopping.Token) : resharding.MergeAsync(step.Shard, stopping.Token));
            report($"shard {step.Shard}: {(step.IsSplit ? "split in two" : "merged with its neighbour")}");
        }
        catch (Exception e) when (e is ShardUnavailableException or ArgumentException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            report($"shard {step.Shard}: can't be {(step.IsSplit ? "split" : "merged")} now: {e.Message}");
        }
    }

    private async ValueTask ExistingAsync(ShardId shard, CancellationToken cancellation)
    {
        var tenant = await FindTenantAsync(shard.Tenant, cancellation);
        if (tenant is null || !tenant.Shards.Any(s => s.Id == shard))
        {
            throw new ArgumentException($"there is no shard {shard}", nameof(shard));
        }
    }

    private Tenant OpenNow(TenantId tenant) =>
        !deleting.ContainsKey(tenant) && tenants.TryGetValue(tenant, out var open) ? open : throw new ShardUnavailableException(new ShardId(tenant, HashRange.Everything), "the tenant is not open here");

    private Shard NewShard(TenantId tenant, HashRange range)
    {
        var shard = new ShardId(tenant, range);
        return new Shard(shard, data.FolderOf(shard), options.MaxFuture, engine, time, OpenUnlessUndecidedAsync, report);
    }

    private Task<IShardStore> OpenUnlessUndecidedAsync(ShardId shard, string folder, ReplayMeter meter, CancellationToken cancellation) =>
        tenants.TryGetValue(shard.Tenant, out var tenant) && IsUndecided(tenant) && tenant.Map.Change!.Parents.Contains(shard.Range)
            ? throw new IOException("it was about to be split or merged, and object storage can't say what became of that")
            : opener(shard, folder, meter, cancellation);

    // The rename comes first: half of a folder must not be taken for the shard's.
    private void DeleteFolder(ShardId shard)
    {
        var folder = data.FolderOf(shard);
        if (Directory.Exists(folder))
        {
            var doomed = folder + DataDirectory.DoomedSuffix;
            if (Directory.Exists(doomed))
            {
                Directory.Delete(doomed, recursive: true);
            }

            Directory.Move(folder, doomed);
            DurableFile.FlushFolder(Path.GetDirectoryName(folder)!);
            Directory.Delete(doomed, recursive: true);
        }
    }

    /// <summary>Removes folders of shards that the map does not have, which a crash after a split or merge left.</summary>
    private void SweepFolders(Tenant tenant)
    {
        var shards = Path.GetDirectoryName(data.FolderOf(new ShardId(tenant.Id, HashRange.Everything)))!;
        if (tenant.Map is not { Change: null, ChangedAt: not null } map || !Directory.Exists(shards))
        {
            return;
        }

        foreach (var folder in Directory.GetDirectories(shards))
        {
            if (!map.Ranges.Any(r => r.ToString() == Path.GetFileName(folder)))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
