using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Simulation;

/// <summary>A silo: a process that crashes and starts again, and a disk that stays. Runs the real replicas, leaders and manifest code.</summary>
internal sealed class SimNode
{
    private readonly SimWorld world;
    private readonly Dictionary<ShardId, SimOwner> owners = [];
    private int lives;
    private int disks;

    /// <summary>Makes the node; it is not started.</summary>
    public SimNode(SimWorld world, int place)
    {
        this.world = world;
        Place = place;
        Id = new NodeId($"n{place}");
        Process = new SimProcess(world.Scheduler, 1000 * (place + 1), Id.Value);
        Replicas = null!;
        Bucket = null!;
        Start();
    }

    /// <summary>Where it is on the network.</summary>
    public int Place { get; }

    /// <summary>The name of its disk.</summary>
    public NodeId Id { get; private set; }

    /// <summary>Its present life.</summary>
    public SimProcess Process { get; private set; }

    /// <summary>What its disk holds.</summary>
    public SimDisk Disk { get; private set; } = new();

    /// <summary>Its replicas.</summary>
    public LogReplicas Replicas { get; private set; }

    /// <summary>Its way to the bucket.</summary>
    public IObjectStore Bucket { get; private set; }

    /// <summary>The scheduler.</summary>
    public SimScheduler Scheduler => world.Scheduler;

    /// <summary>The faults.</summary>
    public SimFaults Faults => world.Faults;

    /// <summary>The world.</summary>
    public SimWorld World => world;

    /// <summary>What replication needs of the node.</summary>
    public ReplicationServices Services { get; private set; } = null!;

    /// <summary>What archives need of the node.</summary>
    public ArchiveServices Archive { get; private set; } = null!;

    /// <summary>The shards that it thinks it owns.</summary>
    public IEnumerable<SimOwner> Owners => owners.Values;

    /// <summary>Begins another life.</summary>
    public void Start()
    {
        Process = new SimProcess(world.Scheduler, (1000 * (Place + 1)) + ++lives, Id.Value);
        Bucket = world.Bucket.For(this);
        Replicas = new LogReplicas(Id, new SimReplicaStores(Disk, Scheduler, Faults, Process.Time, world.Mutant != Mutant.AcknowledgesBeforeSync), world.Mutant);
        Archive = new ArchiveServices(Bucket, null!, new ArchiveOptions { DeleteDelay = TimeSpan.Zero }, Process.Time) { Mutant = world.Mutant };
        Services = new ReplicationServices(Replicas, new SimTransport(world.Network, this, world.Find), Choose, world.Options, Process.Time, what => world.Say($"{Id}: {what}")) { Crowded = world.Respreads ? Crowded : null };
        owners.Clear();
        world.Say($"{Id}: starts");
        Process.Start(SweepAsync);
        Process.Start(RestAsync);
    }

    /// <summary>Ends this life in the middle of whatever it does; with the power, what was not synced goes too.</summary>
    public void Crash(bool power)
    {
        world.Say($"{Id}: {(power ? "power cut" : "killed")}");
        Process.Kill();
        if (power && Disk.CutPower(Scheduler.Random) is var lost && lost > 0)
        {
            Faults.Count("unsynced records lost", true);
        }
    }

    /// <summary>The disk is another one now, and empty.</summary>
    public void LoseDisk()
    {
        Process.Kill();
        Id = new NodeId($"n{Place}d{++disks}");
        world.Say($"{Id}: new disk");
        Disk = new SimDisk();
    }

    /// <summary>Takes a shard over.</summary>
    public async Task<bool> OpenAsync(ShardId shard)
    {
        if (owners.TryGetValue(shard, out var present))
        {
            if (present.IsBusy)
            {
                return true;
            }

            owners.Remove(shard);
            await present.CloseAsync();
        }

        if (owners.ContainsKey(shard))
        {
            return true;
        }

        var owner = new SimOwner(this, shard);
        owners[shard] = owner;
        await owner.OpenAsync();
        return true;
    }

    /// <summary>Gives a shard up, as for a planned move.</summary>
    public async Task<bool> CloseAsync(ShardId shard)
    {
        if (owners.Remove(shard, out var owner))
        {
            await owner.CloseAsync();
        }

        return true;
    }

    /// <summary>Seals a shard for a change.</summary>
    public async Task<bool> SealAsync(ShardId shard, SealRequest request)
    {
        await (owners.GetValueOrDefault(shard) ?? throw new IOException($"{Id} does not own {shard}")).SealAsync(request);
        return true;
    }

    /// <summary>A change is decided: a sealed shard is opened again, if it is one.</summary>
    public async Task<bool> ReleaseAsync(ShardId shard)
    {
        if (owners.TryGetValue(shard, out var owner) && owner.IsSealed)
        {
            await CloseAsync(shard);
        }

        return true;
    }

    /// <summary>Prepares to take a shard over.</summary>
    public async Task<bool> CatchUpAsync(ShardId shard)
    {
        await ReplicatedLog.CatchUpAsync(shard, Bucket, Services, CancellationToken.None);
        return true;
    }

    /// <summary>True when writes to a shard are taken here.</summary>
    public bool Serves(ShardId shard) => owners.TryGetValue(shard, out var owner) && owner.IsOpen;

    /// <summary>Writes to a shard.</summary>
    /// <exception cref="IOException">Not now, or not here.</exception>
    public Task<bool> WriteAsync(ShardId shard, long id) =>
        owners.TryGetValue(shard, out var owner) ? owner.WriteAsync(id) : throw new IOException($"{Id} does not own {shard}");

    private IReadOnlyList<NodeId> Choose(ShardId shard, IReadOnlyList<NodeId> members)
    {
        // What a membership layer believes: mostly right.
        var alive = world.Nodes.Where(n => n != this && (!n.Process.IsDead || Scheduler.Chance(0.1))).Select(n => n.Id).ToArray();
        Scheduler.Random.Shuffle(alive);
        return alive;
    }

    private NodeId? Crowded(ShardId shard, IReadOnlyList<NodeId> members, NodeId owner)
    {
        // Zones as a placement layer sees them change now and then.
        var others = members.Where(m => m != owner).ToArray();
        return others.Length > 0 && Scheduler.Chance(0.05) ? Scheduler.Random.GetItems(others, 1)[0] : null;
    }

    private async Task RestAsync()
    {
        while (true)
        {
            // Seldom enough that a power cut still finds records unsynced: to rest is to sync.
            await Task.Delay(Scheduler.Between(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(12)), Process.Time);
            await Replicas.RestAsync();
        }
    }

    private async Task SweepAsync()
    {
        while (true)
        {
            await Task.Delay(Scheduler.Between(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(9)), Process.Time);
            try
            {
                await Replicas.SweepAsync(Bucket, CancellationToken.None);
            }
            catch (IOException)
            {
                Faults.Count("sweep failed");
            }
        }
    }
}
