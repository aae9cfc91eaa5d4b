using Metrics.Cluster;

namespace Metrics.Simulation;

/// <summary>Makes things go wrong. Each seed has some kinds of faults and lacks others, so that each is also met alone and in every company.</summary>
internal sealed class Nemesis
{
    private readonly SimWorld world;
    private readonly SimScheduler scheduler;
    private readonly List<Func<Task>> kinds = [];
    private long lastLoss = long.MinValue / 2;
    private bool isOver;

    /// <summary>Chooses the kinds of a seed.</summary>
    public Nemesis(SimWorld world)
    {
        this.world = world;
        scheduler = world.Scheduler;
        Func<Task>[] all = [CrashAsync, CrashAsync, DuelAsync, DuelAsync, FreezeAsync, PartitionAsync, OneWayAsync, BadNetworkAsync, BadDiskAsync, BadBucketAsync, RotAsync, LoseDiskAsync];
        switch (world.Climate)
        {
            case Climate.Duels:
                kinds.AddRange([DuelAsync, DuelAsync, CrashAsync, PartitionAsync, BadBucketAsync, BadBucketAsync]);
                break;
            case Climate.Losses:
                kinds.AddRange([LoseDiskAsync, LoseDiskAsync, RotAsync, RotAsync, CrashAsync]);
                break;
            default:
                kinds.AddRange(all.Where(_ => scheduler.Chance(0.5)));
                break;
        }

        Steals = world.Climate == Climate.Duels || scheduler.Chance(0.4);
        Moves = scheduler.Chance(0.4);
    }

    /// <summary>True when no more harm is done.</summary>
    public bool IsOver => isOver;

    /// <summary>True when shards are opened a second time while they have an owner.</summary>
    public bool Steals { get; }

    /// <summary>True when shards are moved by plan.</summary>
    public bool Moves { get; }

    private TimeProvider Time => world.Faults.World.Time;

    /// <summary>Does harm for so long.</summary>
    public async Task RunAsync(TimeSpan length)
    {
        var end = scheduler.Now + length.Ticks - TimeSpan.TicksPerSecond;
        await PauseAsync(1000, 2500);
        while (scheduler.Now < end && kinds.Count > 0)
        {
            await PauseAsync(50, world.Climate == Climate.Mixed ? 1000 : 500);
            if (!isOver)
            {
                _ = kinds[scheduler.Random.Next(kinds.Count)]();
            }
        }
    }

    /// <summary>Ends all harm: dead nodes start, frozen ones go on, the network and the disks are good.</summary>
    public void Heal()
    {
        isOver = true;
        world.Faults.Heal();
        world.Network.Heal();
        foreach (var node in world.Nodes)
        {
            node.Process.Thaw();
            if (node.Process.IsDead)
            {
                node.Start();
            }
        }

        foreach (var director in world.Directors)
        {
            director.IsCalm = true;
        }

        foreach (var client in world.Clients)
        {
            client.Stop();
        }
    }

    private async Task CrashAsync()
    {
        await CrashAsync(Any(), 5000);
    }

    private async Task CrashAsync(SimNode node, int mostMs)
    {
        if (node.Process.IsDead || isOver)
        {
            return;
        }

        var power = scheduler.Chance(0.5);
        world.Faults.Count(power ? "power cut" : "process killed");
        node.Crash(power);
        await PauseAsync(50, mostMs);
        if (node.Process.IsDead && !isOver)
        {
            node.Start();
        }
    }

    private async Task FreezeAsync()
    {
        var process = Any().Process;
        world.Faults.Count("process frozen", !process.IsFrozen);
        process.Freeze();
        await PauseAsync(200, 6000);
        process.Thaw();
    }

    /// <summary>An owner is cut off from some, another one takes over, and a follower of both forgets what was not on its disk.</summary>
    private async Task DuelAsync()
    {
        var director = world.Directors[scheduler.Random.Next(world.Directors.Count)];
        if (director.Owner is not { } owner)
        {
            return;
        }

        world.Faults.Count("owner cut off");
        foreach (var node in world.Nodes.Where(n => n != owner && scheduler.Chance(0.6)))
        {
            world.Network.Cut(node.Place, owner.Place);
            if (scheduler.Chance(0.5))
            {
                world.Network.Cut(owner.Place, node.Place);
            }
        }

        director.Doubt();
        await PauseAsync(100, 1500);
        await CrashAsync(Any(), 300);
        await PauseAsync(50, 600);
        world.Network.Heal();
    }

    private async Task PartitionAsync()
    {
        world.Faults.Count("network parted");
        var places = Places();
        var sides = places.ToDictionary(p => p, _ => scheduler.Chance(0.5));
        foreach (var from in places)
        {
            foreach (var to in places.Where(to => sides[from] != sides[to]))
            {
                world.Network.Cut(from, to);
            }
        }

        await PauseAsync(200, 5000);
        world.Network.Heal();
    }

    private async Task OneWayAsync()
    {
        world.Faults.Count("one way cut");
        var (from, to) = (Any().Place, Any().Place);
        world.Network.Cut(from, to);
        await PauseAsync(200, 5000);
        world.Network.Heal();
    }

    private async Task BadNetworkAsync()
    {
        var faults = world.Faults;
        (faults.Loss, faults.Duplication, faults.Lateness) = (0.15 * scheduler.Random.NextDouble(), 0.3 * scheduler.Random.NextDouble(), 0.2 * scheduler.Random.NextDouble());
        await PauseAsync(500, 5000);
        (faults.Loss, faults.Duplication, faults.Lateness) = (0, 0, 0);
    }

    private async Task BadDiskAsync()
    {
        var faults = world.Faults;
        (faults.DiskErrors, faults.DiskStalls) = (0.05 * scheduler.Random.NextDouble(), 0.1 * scheduler.Random.NextDouble());
        await PauseAsync(500, 4000);
        (faults.DiskErrors, faults.DiskStalls) = (0, 0);
    }

    private async Task BadBucketAsync()
    {
        var faults = world.Faults;
        (faults.BucketErrors, faults.BucketDoubts, faults.BucketIsAway) = (0.3 * scheduler.Random.NextDouble(), 0.5 * scheduler.Random.NextDouble(), scheduler.Chance(0.2));
        await PauseAsync(500, 4000);
        (faults.BucketErrors, faults.BucketDoubts, faults.BucketIsAway) = (0, 0, false);
    }

    private async Task RotAsync()
    {
        var node = Any();
        var logs = node.Disk.Replicas.Values.Where(r => r.Log.Count > 0).ToList();
        if (logs.Count > 0 && MayLose(node))
        {
            world.Faults.Count("record rotten");
            var files = logs[scheduler.Random.Next(logs.Count)];
            var at = scheduler.Random.Next(files.Log.Count);
            files.Log[at].IsRotten = true;
            world.Say($"{node.Id}: record {files.First + at} rots");
            if (scheduler.Chance(0.5))
            {
                // It is found when the node starts, and then somebody counts on it.
                await CrashAsync(node, 200);
                world.Directors[scheduler.Random.Next(world.Directors.Count)].Doubt();
            }
        }
    }

    private async Task LoseDiskAsync()
    {
        var node = Any();
        if (!MayLose(node))
        {
            return;
        }

        world.Faults.Count("disk lost");
        node.LoseDisk();
        await PauseAsync(50, 3000);
        if (node.Process.IsDead && !isOver)
        {
            node.Start();
        }
    }

    /// <summary>True when every record is where the manifests say, so that the loss of what one node has is what the replication factor is there for.</summary>
    private bool MayLose(SimNode victim)
    {
        if (scheduler.Now - lastLoss < (world.Climate == Climate.Losses ? 1 : 5) * TimeSpan.TicksPerSecond || world.Options.Factor == 1)
        {
            return false;
        }

        foreach (var shard in world.Shards)
        {
            if (world.Stored(shard)?.Log is { } log && (log.Ranges.Count > 1 || log.Last.Members.Any(m => m != victim.Id.Value && !HasLostNothing(log, shard, m))))
            {
                return false;
            }

            // No change of the ensemble may be under way, in which the victim counts already.
            if (world.Nodes.SelectMany(n => n.Owners).Any(o => o.Shard == shard && o.IsBusy && (o.Log is null || o.Log.Members.Any(m => m.Lost is not null) || o.Log.Members.Count != o.Manifest.Log!.Last.Members.Count)))
            {
                return false;
            }
        }

        lastLoss = scheduler.Now;
        return true;
    }

    private bool HasLostNothing(ManifestLog log, Metrics.Model.ShardId shard, string member) =>
        world.Find(new NodeId(member)) is { } node && node.Disk.Replicas.TryGetValue(new LogId(shard, log.Lineage), out var files) && files.HasLostNothing;

    private SimNode Any() => world.Nodes[scheduler.Random.Next(world.Nodes.Count)];

    private List<int> Places() => [SimDirector.Place, .. world.Nodes.Select(n => n.Place), .. Enumerable.Range(100, world.Clients.Count)];

    private Task PauseAsync(int leastMs, int mostMs) => Task.Delay(scheduler.Between(TimeSpan.FromMilliseconds(leastMs), TimeSpan.FromMilliseconds(mostMs)), Time);
}
