using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Simulation;

/// <summary>Everything of one run: nodes, network, bucket, clients, and what goes wrong; all of it follows from the seed.</summary>
internal sealed class SimWorld
{
    private readonly SimProcess process;
    private readonly ManifestWatch watch;
    private readonly ShardMap firstMap;
    private readonly List<SimDirector> directors = [];
    private readonly Dictionary<long, ulong> hashes = [];
    private long numbers;

    /// <summary>Makes the world of a seed.</summary>
    public SimWorld(int seed, Mutant mutant = Mutant.None, Climate? climate = null, bool? reshards = null)
    {
        // Drawn by itself, so that worlds without splits are what they were.
        Reshards = reshards ?? new Random(seed ^ 0x5911).Next(3) == 0;
        Mutant = mutant;
        Scheduler = new SimScheduler(seed);
        Climate = climate ?? Scheduler.Random.GetItems([Climate.Mixed, Climate.Mixed, Climate.Mixed, Climate.Mixed, Climate.Duels, Climate.Losses], 1)[0];
        process = new SimProcess(Scheduler, 1, "world");
        Faults = new SimFaults(process) { DiskLatency = TimeSpan.FromMilliseconds(Climate == Climate.Losses ? 20 : Scheduler.Random.GetItems([0.3, 2, 20], 1)[0]) };
        Network = new SimNetwork(Scheduler, Faults);
        watch = new ManifestWatch(Faults);
        Bucket = new SimBucket(Faults, watch, mutant == Mutant.SwapsBlindly);
        Checker = new HistoryChecker(this);
        var factor = Scheduler.Random.GetItems<int>(Climate switch { Climate.Duels => [2, 2, 3], Climate.Losses => [2, 2, 3], _ => [1, 2, 2, 3, 3, 3, 3, 5] }, 1)[0];
        MayLoseLogs = factor == 1 && Scheduler.Chance(0.5);
        Options = new ReplicationOptions
        {
            Factor = factor,
            RequestTimeout = TimeSpan.FromSeconds(1),
            LostAfter = TimeSpan.FromSeconds(1.5),
            RetryAfter = TimeSpan.FromMilliseconds(100),
            RepairEvery = TimeSpan.FromMilliseconds(500),
            OpenTimeout = TimeSpan.FromSeconds(6),
            Grace = MayLoseLogs ? TimeSpan.FromSeconds(4) : TimeSpan.FromHours(1),
            BatchBytes = Climate == Climate.Losses ? 100 : Scheduler.Random.GetItems([100, 300, 1000], 1)[0],
            InFlightBytes = Scheduler.Random.GetItems([100, 600, 3000], 1)[0],
            InFlightBatches = new Random(seed ^ 0x2b17).GetItems([1, 1, 2, 8], 1)[0], // By itself, too.
            UnacknowledgedBytes = 20_000,
            Mutant = mutant,
        };
        Nodes = [.. Enumerable.Range(0, factor + Scheduler.Random.Next(factor == 1 || Climate != Climate.Mixed ? 1 : 0, 3)).Select(i => new SimNode(this, i))];
        firstMap = ShardMap.Create(1 << Scheduler.Random.Next(2));
        Bucket.Objects.PutAsync(BucketKeys.ShardMap(Tenant), firstMap.ToJson(), PutCondition.None, CancellationToken.None).AsTask().GetAwaiter().GetResult();
        directors.AddRange(Shards.Select(s => new SimDirector(this, s)));
        WritePause = TimeSpan.FromMilliseconds(Scheduler.Random.GetItems([100, 300, 1000], 1)[0]);
        Clients = [.. Enumerable.Range(0, 3).Select(i => new SimClient(this, i))];
        Nemesis = new Nemesis(this);
    }

    /// <summary>Which faults it leans to.</summary>
    public Climate Climate { get; }

    /// <summary>What is broken on purpose.</summary>
    public Mutant Mutant { get; }

    /// <summary>The scheduler.</summary>
    public SimScheduler Scheduler { get; }

    /// <summary>The faults.</summary>
    public SimFaults Faults { get; }

    /// <summary>The network.</summary>
    public SimNetwork Network { get; }

    /// <summary>The bucket.</summary>
    public SimBucket Bucket { get; }

    /// <summary>What was written and acknowledged.</summary>
    public HistoryChecker Checker { get; }

    /// <summary>How logs are replicated.</summary>
    public ReplicationOptions Options { get; }

    /// <summary>The longest that a sender rests between two writes.</summary>
    public TimeSpan WritePause { get; }

    /// <summary>True when a log of one replica may be given up, and salvaged later.</summary>
    public bool MayLoseLogs { get; }

    /// <summary>The nodes.</summary>
    public IReadOnlyList<SimNode> Nodes { get; }

    /// <summary>Whose shards they are.</summary>
    public static TenantId Tenant { get; } = TenantId.Parse("t");

    /// <summary>True when shards are split and merged.</summary>
    public bool Reshards { get; }

    /// <summary>The tenant's map as it is stored now.</summary>
    public ShardMap Map => watch.Map ?? firstMap;

    /// <summary>The shards of that map.</summary>
    public IReadOnlyList<ShardId> Shards => [.. Map.Ranges.Select(r => new ShardId(Tenant, r))];

    /// <summary>Who sees to it that each shard has an owner.</summary>
    public IReadOnlyList<SimDirector> Directors => directors;

    /// <summary>The senders.</summary>
    public IReadOnlyList<SimClient> Clients { get; }

    /// <summary>What goes wrong.</summary>
    public Nemesis Nemesis { get; }

    /// <summary>Is told what happens, when somebody wants to know.</summary>
    public Action<string>? Tell { get; init; }

    /// <summary>Says what happens.</summary>
    public void Say(string what) => Tell?.Invoke($"{TimeSpan.FromTicks(Scheduler.Now).TotalSeconds:F4} {what}");

    /// <summary>A number never given before.</summary>
    public long NextNumber() => ++numbers;

    /// <summary>The hash of what is written under a number: the first time, one in a range.</summary>
    public ulong HashOf(long id, HashRange first)
    {
        if (!hashes.TryGetValue(id, out var hash))
        {
            var mixed = (ulong)id * 0x9e3779b97f4a7c15;
            hashes[id] = hash = first.First | (mixed >> first.Bits);
        }

        return hash;
    }

    /// <summary>True when what is written under a number belongs to a range.</summary>
    public bool IsIn(HashRange range, long id) => range.Contains(hashes[id]);

    /// <summary>The director of the shard that a number belongs to, as placement knows the map.</summary>
    public SimDirector? DirectorOf(long id) => directors.Find(d => IsIn(d.Shard.Range, id));

    /// <summary>The node with a name.</summary>
    public SimNode? Find(NodeId id) => Nodes.FirstOrDefault(n => n.Id == id);

    /// <summary>A shard's manifest as stored.</summary>
    public ShardManifest? Stored(ShardId shard) => watch.Stored.GetValueOrDefault(BucketKeys.Manifest(shard));

    /// <summary>Runs: some time of faults, then a good world, and a look at what is left.</summary>
    public SimOutcome Run()
    {
        var faulty = TimeSpan.FromSeconds(6 + Scheduler.Random.Next(10));
        process.Start(() => Nemesis.RunAsync(faulty));
        foreach (var director in Directors)
        {
            process.Start(director.RunAsync);
        }

        if (Reshards)
        {
            process.Start(FollowMapAsync);
            process.Start(new SimResharding(this).RunAsync);
        }

        foreach (var client in Clients)
        {
            client.Start();
        }

        Go(faulty);
        Nemesis.Heal();
        var final = new FinalCheck(this);
        for (var settled = TimeSpan.Zero; settled < TimeSpan.FromSeconds(60) && Faults.Violations.Count == 0; settled += TimeSpan.FromSeconds(1))
        {
            Go(faulty + settled);
            if (settled >= TimeSpan.FromSeconds(3))
            {
                Clients[0].Probe();
            }

            if (settled > TimeSpan.FromSeconds(3) && final.IsSettled() is null)
            {
                break;
            }
        }

        if (Faults.Violations.Count == 0)
        {
            final.Run();
        }

        return new SimOutcome(Scheduler.Trace, Scheduler.Steps, Checker.Acknowledged, Checker.Comparisons, Faults.Counts, Faults.Violations);
    }

    /// <summary>Placement hears of another map some time later: then each of its shards has a director, and no other.</summary>
    private async Task FollowMapAsync()
    {
        while (true)
        {
            await Task.Delay(Scheduler.Between(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(400)), process.Time);
            var shards = Shards;
            foreach (var gone in directors.Where(d => !shards.Contains(d.Shard)).ToList())
            {
                gone.End();
                directors.Remove(gone);
            }

            foreach (var shard in shards.Where(s => directors.TrueForAll(d => d.Shard != s)))
            {
                var director = new SimDirector(this, shard) { IsCalm = Nemesis.IsOver };
                directors.Add(director);
                process.Start(director.RunAsync);
            }
        }
    }

    private void Go(TimeSpan until)
    {
        if (!Scheduler.RunUntil(until))
        {
            Faults.Violate($"after {Scheduler.Steps} steps it goes round in circles");
        }
    }
}

/// <summary>What came of a run.</summary>
/// <param name="Trace">A hash of all that happened.</param>
/// <param name="Steps">Steps taken.</param>
/// <param name="Acknowledged">Writes acknowledged.</param>
/// <param name="Comparisons">How often all that is readable was compared with that.</param>
/// <param name="Counts">What happened, how often.</param>
/// <param name="Violations">What must not happen and did.</param>
internal sealed record SimOutcome(ulong Trace, long Steps, int Acknowledged, int Comparisons, IReadOnlyDictionary<string, long> Counts, IReadOnlyList<string> Violations);
