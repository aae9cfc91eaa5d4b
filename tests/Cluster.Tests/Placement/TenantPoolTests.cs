using Metrics.Model;

namespace Metrics.Cluster.Tests.Placement;

/// <summary>Silos of one's own: who is placed on them, and that shards and replicas come to rest there.</summary>
public class TenantPoolTests
{
    [Theory]
    [InlineData("", "acme", 1)]
    [InlineData("acme", "acme", 0)]
    [InlineData("acme", "Acme", 2)]
    [InlineData("acme", "acme2", 2)]
    [InlineData("x, acme*", "acme2", 0)]
    [InlineData("eu-?", "eu-1", 0)]
    [InlineData("eu-?", "eu-10", 2)]
    [InlineData("*", "anybody", 0)]
    public void ASiloSuitsWhomItNamesAndThenWhoNobodyNames(string pool, string tenant, int rank) => Assert.Equal(rank, TenantPool.Parse(pool).RankFor(TenantId.Parse(tenant)));

    [Theory]
    [InlineData("s1 s2 h1 h2", "acme", "h1 h2")]
    [InlineData("s1 s2 h1 h2", "soft", "s1 s2")]
    [InlineData("s1 s2", "acme", "s1 s2")] // its own are gone
    [InlineData("h1 h2", "soft", "h1 h2")] // at the last anybody's
    [InlineData("", "soft", "")]
    public void ThoseThatSuitBestAreTaken(string hosts, string tenant, string suiting) =>
        Assert.Equal(suiting, string.Join(' ', TenantPool.Suiting(TenantId.Parse(tenant), Hosts(hosts)).Select(static h => h.Node.Value)));

    [Fact]
    public void ShardsOpenOnSilosOfTheirOwnEvenWhereOthersHoldTheirLog()
    {
        var hosts = Hosts("s1 s2 s3 h1 h2");
        for (var i = 0; i < 50; i++)
        {
            Assert.StartsWith("h", OwnerChoice.Of(Shard("acme", i), hosts, [new NodeId("s1")])!.Value.Value, StringComparison.Ordinal);
            Assert.StartsWith("s", OwnerChoice.Of(Shard("soft", i), hosts, [new NodeId("h1")])!.Value.Value, StringComparison.Ordinal);
            Assert.Equal("h2", OwnerChoice.Of(Shard("acme", i), hosts, [new NodeId("h2"), new NodeId("s1")])!.Value.Value);
        }
    }

    [Fact]
    public void ReplicasGoToTheTenantsOwnSilosFirstAndThenAsFarAsNeedBe()
    {
        var hosts = Hosts("s1 s2 h1 h2 h3");
        Assert.Equal(["h2", "h3"], FollowerRanking.Of(Shard("acme", 1), hosts, [new NodeId("h1")]).Take(2).Select(static n => n.Value).Order());
        Assert.Equal(["s1", "s2"], FollowerRanking.Of(Shard("acme", 1), hosts, [new NodeId("h1")]).Skip(2).Select(static n => n.Value).Order());
        Assert.Equal(["s2"], FollowerRanking.Of(Shard("soft", 1), hosts, [new NodeId("s1")]).Take(1).Select(static n => n.Value));
    }

    [Theory]
    [InlineData("acme", "h1 h2 s1", "s1 h3 s2 h1 h2", "s1")] // one of its own could have it
    [InlineData("acme", "h1 h2 s1", "s1 s2 h1 h2", null)] // there are no more of its own
    [InlineData("acme", "s1 h1 h2", "s1 h3 h1 h2", null)] // the owner moves otherwise
    [InlineData("soft", "s1 s2 h1", "s1 s2 s3 h1", "h1")]
    [InlineData("soft", "s1 s2 s3", "s1 s2 s3 h1", null)]
    public void AReplicaThatLiesWithStrangersIsReplaced(string tenant, string members, string hosts, string? named) =>
        Assert.Equal(named, FollowerRanking.Crowded(Shard(tenant, 1), Hosts(hosts), [.. members.Split(' ').Select(static m => new NodeId(m))], new NodeId(members.Split(' ')[0]))?.Value);

    [Fact]
    public void ReplacingReplicasComesToAnEndWithinThePool()
    {
        const int Seed = 42;
        var random = new Random(Seed);
        for (var round = 0; round < 300; round++)
        {
            var hosts = Enumerable.Range(0, random.Next(3, 9)).Select(i => new ShardHost(new NodeId($"n{i}"), $"z{random.Next(3)}", default) { Pool = TenantPool.Parse(random.Next(3) switch { 0 => "acme", 1 => "other", _ => "" }) }).ToList();
            var shard = Shard("acme", round);
            var members = hosts.Take(3).Select(static h => h.Node).ToList();
            var changes = 0;
            while (FollowerRanking.Crowded(shard, hosts, members, members[0]) is { } named)
            {
                Assert.True(++changes < 10, $"seed {Seed}, round {round}");
                var next = FollowerRanking.Of(shard, hosts, members)[0];
                members[members.IndexOf(named)] = next;
            }

            int Rank(NodeId node) => hosts.Single(h => h.Node == node).Pool.RankFor(shard.Tenant);
            var best = hosts.Where(h => h.Node != members[0]).Select(h => Rank(h.Node)).Order().Take(2);
            Assert.Equal(best, members.Skip(1).Select(Rank).Order());
        }
    }

    [Fact]
    public void ShardsMoveHomeAndAreEvenedOutAmongThoseThatSuit()
    {
        var hosts = Hosts("s1 s2 h1 h2");
        var shards = Enumerable.Range(0, 24).Select(i => new PlacedShard(Shard(i % 2 == 0 ? "acme" : "soft", i), hosts[i % 4 / 2 == 0 ? 0 : 2].Node, 1000 + i, [hosts[1].Node])).ToList();
        var moves = 0;
        while (LoadBalance.Next(hosts, shards) is { } move)
        {
            Assert.True(++moves < 200);
            var at = shards.FindIndex(s => s.Shard == move.Shard);
            shards[at] = shards[at] with { Owner = move.To };
        }

        Assert.All(shards, static s => Assert.StartsWith(s.Shard.Tenant.Value == "acme" ? "h" : "s", s.Owner.Value, StringComparison.Ordinal));
        Assert.All(shards.CountBy(static s => s.Owner), static c => Assert.InRange(c.Value, 5, 7));
    }

    [Fact]
    public void ATextThatCannotTravelInANameIsNoPool()
    {
        Assert.Null(TenantPool.Problem("acme,eu-*"));
        Assert.NotNull(TenantPool.Problem("a;b"));
        Assert.NotNull(TenantPool.Problem("a\nb"));
        Assert.NotNull(TenantPool.Problem(new string('t', 1025)));
    }

    /// <summary>Silos named s are everybody's, those named h are acme's.</summary>
    private static ShardHost[] Hosts(string names) => [.. names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static n => new ShardHost(new NodeId(n), "", new SiloLoad(0, 0.1, 0.1)) { Pool = TenantPool.Parse(n[0] == 'h' ? "acme" : "") })];

    private static ShardId Shard(string tenant, int i) => new(TenantId.Parse(tenant), new HashRange((uint)i, 12));
}
