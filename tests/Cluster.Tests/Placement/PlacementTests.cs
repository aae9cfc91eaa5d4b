using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;

namespace Metrics.Cluster.Tests.Placement;

public sealed class PlacementTests
{
    private static readonly TenantId tenant = TenantId.Parse("team-a");

    [Fact]
    public void AShardOpensWhereItsLogLies()
    {
        var hosts = Hosts(5);
        for (var i = 0; i < 32; i++)
        {
            var holders = new[] { hosts[i % 5].Node, hosts[(i + 2) % 5].Node };
            Assert.Contains(OwnerChoice.Of(Shard(i), hosts, holders)!.Value, holders);
        }
    }

    [Fact]
    public void AShardWhoseHoldersAreAwayOpensAnywhereAndWithoutSilosNowhere()
    {
        Assert.NotNull(OwnerChoice.Of(Shard(1), Hosts(3), [new NodeId("gone")]));
        Assert.Null(OwnerChoice.Of(Shard(1), [], [new NodeId("gone")]));
    }

    [Fact]
    public void OfTheHoldersTheOneThatDoesLessIsTaken()
    {
        var hosts = new[] { Host("a", "", 10_000), Host("b", "", 2_000), Host("c", "", 0) };

        Assert.Equal(new NodeId("b"), OwnerChoice.Of(Shard(1), hosts, [new NodeId("a"), new NodeId("b")]));
    }

    [Fact]
    public void AHolderThatHasNoMemoryLeftIsPassedOverForOneThatHas()
    {
        var full = new ShardHost(new NodeId("a"), "", new SiloLoad(100_000, 0.1, 0.95));

        Assert.Equal(new NodeId("b"), OwnerChoice.Of(Shard(1), [full, Host("b", "", 1_000)], [full.Node]));
        Assert.Equal(full.Node, OwnerChoice.Of(Shard(1), [full], [full.Node]));
    }

    [Fact]
    public void NewShardsSpreadEvenlyThoughNobodyKnowsYetWhoGotThem()
    {
        var hosts = Hosts(4);
        var counts = Enumerable.Range(0, 1024).Select(i => OwnerChoice.Of(Shard(i), hosts, [])!.Value).CountBy(static n => n).ToDictionary();

        Assert.All(hosts, h => Assert.InRange(counts[h.Node], 192, 320));
    }

    [Fact]
    public void ASiloMoreMovesOnlyItsOwnShare()
    {
        var (four, five) = (Hosts(4), Hosts(5));
        for (var i = 0; i < 256; i++)
        {
            var (before, after) = (OwnerChoice.Of(Shard(i), four, []), OwnerChoice.Of(Shard(i), five, []));
            Assert.True(before == after || after == five[4].Node);
        }
    }

    [Theory]
    [InlineData("a1 a2 b1", "a1", "a2")]
    [InlineData("a1 a2 b1", "a2", "a1")]
    [InlineData("a1 a2 b1", "b1", "a2")]
    [InlineData("a1 a2 a3", "a3", "a2")]
    [InlineData("a1 b1 c1", "a1", null)]
    [InlineData("a1 a2 b1 c1", "a1", null)]
    [InlineData("a1 a2 gone", "a1", null)]
    [InlineData("a1 n1 n2", "a1", null)]
    public void AMemberIsCrowdedWhileAZoneWithoutAnyCouldTakeIt(string members, string owner, string? wanted)
    {
        var hosts = new[] { Host("a1", "a"), Host("a2", "a"), Host("a3", "a"), Host("b1", "b"), Host("c1", "c"), Host("n1", ""), Host("n2", "") };
        Assert.Equal(wanted, FollowerRanking.Crowded(Shard(0), members.Contains('n') ? hosts : hosts[..5], [.. members.Split(' ').Select(static m => new NodeId(m))], new NodeId(owner))?.Value);
    }

    [Fact]
    public void FollowersAreOfOtherZonesThanTheOwnerAndOfDifferentOnes()
    {
        var hosts = new[] { Host("a1", "a"), Host("a2", "a"), Host("a3", "a"), Host("b1", "b"), Host("b2", "b"), Host("c1", "c") };
        for (var i = 0; i < 32; i++)
        {
            var ranked = FollowerRanking.Of(Shard(i), hosts, [new NodeId("a2")]);

            Assert.Equal(5, ranked.Count);
            Assert.Equal(["b", "c"], ranked.Take(2).Select(n => n.Value[..1]).Order());
            Assert.DoesNotContain(new NodeId("a2"), ranked);
        }
    }

    [Fact]
    public void FollowersOfOneZoneAreBetterThanNone()
    {
        var ranked = FollowerRanking.Of(Shard(1), [Host("a1", "a"), Host("a2", "a"), Host("a3", "a")], [new NodeId("a1")]);

        Assert.Equal(["a2", "a3"], ranked.Select(n => n.Value).Order());
    }

    [Fact]
    public void FollowersOfManyShardsAreSpread()
    {
        var hosts = Hosts(5);
        var counts = Enumerable.Range(0, 500).SelectMany(i => FollowerRanking.Of(Shard(i), hosts, [hosts[i % 5].Node]).Take(2)).CountBy(static n => n).ToDictionary();

        Assert.All(hosts, h => Assert.InRange(counts[h.Node], 150, 250));
    }

    [Fact]
    public void AnEmptySiloIsFilledUntilAllDoAboutTheSame()
    {
        var hosts = Hosts(3);
        var shards = Enumerable.Range(0, 12).Select(i => new PlacedShard(Shard(i), hosts[i % 2].Node, 1_000, [hosts[i % 2].Node])).ToList();

        var moves = Balance(hosts, shards);

        Assert.Equal(4, moves);
        Assert.All(hosts, h => Assert.Equal(4, shards.Count(s => s.Owner == h.Node)));
    }

    [Fact]
    public void AMoveGoesByPreferenceToWhereTheLogLies()
    {
        var hosts = Hosts(3);
        var shards = Enumerable.Range(0, 8).Select(i => new PlacedShard(Shard(i), hosts[0].Node, 1_000, i == 5 ? [hosts[0].Node, hosts[2].Node] : [hosts[0].Node])).ToList();

        Assert.Equal(new ShardMove(Shard(5), hosts[0].Node, hosts[2].Node), LoadBalance.Next(hosts, shards));
    }

    [Fact]
    public void OneLargeShardIsNotMovedBackAndForth()
    {
        var hosts = Hosts(2);

        Assert.Null(LoadBalance.Next(hosts, [new PlacedShard(Shard(0), hosts[0].Node, 1_000_000, [])]));
        Assert.Null(LoadBalance.Next(hosts, [new PlacedShard(Shard(0), hosts[0].Node, 1_000_000, []), new PlacedShard(Shard(1), hosts[1].Node, 950_000, [])]));
    }

    [Fact]
    public void AShardAlmostAsHeavyAsTheGapStays()
    {
        var hosts = Hosts(3);
        PlacedShard[] shards = [new(Shard(0), hosts[0].Node, 10_000, []), new(Shard(1), hosts[0].Node, 10_300, []), new(Shard(2), hosts[1].Node, 10_100, []), new(Shard(3), hosts[2].Node, 10_000, [])];

        Assert.Null(LoadBalance.Next(hosts, shards));
    }

    [Fact]
    public void AShardThatWasHardlyObservedCountsAndStays()
    {
        var hosts = Hosts(2);
        PlacedShard[] shards = [new(Shard(0), hosts[0].Node, 10_000, [], IsSettled: false), new(Shard(1), hosts[0].Node, 2_000, [])];

        Assert.Equal(Shard(1), LoadBalance.Next(hosts, shards)?.Shard);
        Assert.Null(LoadBalance.Next(hosts, [shards[0], shards[1] with { IsSettled = false }]));
    }

    [Fact]
    public void ABurstMakesAShardNoHeavier()
    {
        var calm = new ShardReport("t", "0b", ShardState.Open, 1, 0, 0, [], 0, 0, HeadSeries: 1000, 0, 0, SamplesPerSecond: 10, SteadySamplesPerSecond: 10);

        Assert.Equal(calm.Weight, (calm with { SamplesPerSecond = 1_000_000 }).Weight);
        Assert.True((calm with { SteadySamplesPerSecond = 1_000_000 }).Weight > 1_000_000);
    }

    [Fact]
    public void ASiloWithoutMemoryGivesAwayAndGetsNothing()
    {
        var full = new ShardHost(new NodeId("a"), "", new SiloLoad(0, 0.2, 0.9));
        var other = Host("b", "", 0);
        PlacedShard[] shards = [new(Shard(0), full.Node, 1_000, []), new(Shard(1), full.Node, 1_000, []), new(Shard(2), full.Node, 1_000, []), new(Shard(3), other.Node, 1_100, []), new(Shard(4), other.Node, 300, [])];

        Assert.Equal((full.Node, other.Node), LoadBalance.Next([full, other], shards) is { } move ? (move.From, move.To) : default);
        Assert.Null(LoadBalance.Next([full, other], [new(Shard(0), other.Node, 1_000, []), new(Shard(1), other.Node, 1_000, [])]));
    }

    [Fact]
    public void AShardThatDoesNotGetWhereItBelongsHoldsUpNoOtherAndIsTriedMoreAndMoreSeldom()
    {
        var clock = new SteppedTime();
        var attempts = new MoveAttempts(clock, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(15));
        ShardHost[] hosts = [Host("own", "") with { Pool = TenantPool.Parse("acme") }, Host("a", ""), Host("b", "")];
        var misplaced = new ShardId(TenantId.Parse("acme"), new HashRange(0, 1));
        var stuck = new ShardMove(misplaced, hosts[1].Node, hosts[0].Node);
        List<PlacedShard> shards = [new(misplaced, hosts[1].Node, 1_000, [hosts[0].Node]), new(Shard(1), hosts[1].Node, 3_000, []), new(Shard(2), hosts[1].Node, 3_000, [])];

        var tried = new List<int>();
        ShardMove? other = null;
        for (var minute = 0; minute < 60; minute++, clock.Now += TimeSpan.FromMinutes(1))
        {
            attempts.See(shards);
            if (LoadBalance.Next(hosts, shards, attempts) is { } move)
            {
                attempts.Note(move);
                if (move == stuck)
                {
                    tried.Add(minute);
                }
                else
                {
                    Assert.Null(other); // It gets there, and is done with.
                    other = move;
                    var at = shards.FindIndex(s => s.Shard == move.Shard);
                    shards[at] = shards[at] with { Owner = move.To };
                }
            }
        }

        Assert.Equal([0, 2, 6, 14, 29, 44, 59], tried);
        Assert.Equal(hosts[2].Node, other?.To);
    }

    [Fact]
    public void AShardThatIsHeldFromOneSiloGoesToAnotherAndWhatHasArrivedIsForgotten()
    {
        var attempts = new MoveAttempts(new SteppedTime(), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(15));
        ShardHost[] hosts = [Host("own1", "") with { Pool = TenantPool.Parse("acme") }, Host("own2", "") with { Pool = TenantPool.Parse("acme") }, Host("a", "")];
        var misplaced = new PlacedShard(new ShardId(TenantId.Parse("acme"), new HashRange(0, 1)), hosts[2].Node, 1_000, [hosts[0].Node]);

        attempts.Note(new ShardMove(misplaced.Shard, hosts[2].Node, hosts[0].Node));
        Assert.Equal(hosts[1].Node, LoadBalance.Next(hosts, [misplaced], attempts)?.To);

        attempts.See([misplaced with { Owner = hosts[0].Node }]);
        Assert.Equal(hosts[0].Node, LoadBalance.Next(hosts, [misplaced], attempts)?.To);
    }

    [Fact]
    public void BalancingComesToAnEndAndLeavesNoGapThatAShardWouldFill() =>
        Prop.ForAll(
            (from silos in Gen.Choose(2, 6) from weights in Gen.Choose(500, 100_000).ListOf() from seed in Gen.Choose(0, int.MaxValue) select (Silos: silos, Weights: weights.ToList(), Seed: seed)).ToArbitrary(),
            static given =>
            {
                var random = new Random(given.Seed);
                var hosts = Hosts(given.Silos);
                var shards = given.Weights.Select((w, i) => new PlacedShard(Shard(i), hosts[random.Next(given.Silos)].Node, w, [hosts[random.Next(given.Silos)].Node])).ToList();
                var moves = Balance(hosts, shards);
                return moves < 20 * (shards.Count + 1) && LoadBalance.Next(hosts, shards) is null;
            }).QuickCheckThrowOnFailure();

    private static int Balance(IReadOnlyList<ShardHost> hosts, List<PlacedShard> shards)
    {
        var moves = 0;
        while (LoadBalance.Next(hosts, shards) is { } move && moves < 10_000)
        {
            var at = shards.FindIndex(s => s.Shard == move.Shard);
            Assert.Equal(move.From, shards[at].Owner);
            shards[at] = shards[at] with { Owner = move.To };
            moves++;
        }

        return moves;
    }

    private static ShardHost[] Hosts(int count) => [.. Enumerable.Range(0, count).Select(static i => Host($"node{i}", ""))];

    private static ShardHost Host(string node, string zone, double weight = 0) => new(new NodeId(node), zone, new SiloLoad(weight, 0.1, 0.1));

    private static ShardId Shard(int i) => new(tenant, new HashRange((uint)i, 12));

    private sealed class SteppedTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
