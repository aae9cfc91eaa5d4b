using Metrics.Grains;
using Metrics.Model;
using Metrics.ObjectStore;
using Orleans.Serialization;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>Grains on a test cluster of Orleans: placement, hand-over, loss of a silo.</summary>
public sealed class SiloClusterTests
{
    private const int Series = 64;

    private static readonly TenantId tenant = TenantId.Parse("team-a");

    private readonly long start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 60_000;

    [Fact]
    public async Task WhatIsWrittenThroughOneSiloIsReadThroughEach()
    {
        await using var silos = await SiloCluster.StartAsync(3, 3);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        await silos.WriteAsync(silos.Silos[1], tenant, Series, start + 1000, 2);

        foreach (var silo in silos.Silos)
        {
            Assert.Equal(2 * Series, (await silos.ReadAsync(silo, tenant)).Count);
        }

        Assert.Null(await silos.Gateway(silos.Silos[0]).FindTenantAsync(TenantId.Parse("nobody"), default));
    }

    [Fact]
    public async Task WhatASiloFailsWithIsTheSameForWhoeverCalledIt()
    {
        await using var silos = await SiloCluster.StartAsync(1, 1);
        var serializer = silos.Of<Serializer>(silos.Silos[0]);
        var failure = new OrleansException("nobody can say where the log lies", new ConditionFailedException("put manifest.json", new IOException("no space")));

        var heard = Assert.IsType<OrleansException>(serializer.Deserialize<Exception>(serializer.SerializeToArray<Exception>(failure)));

        Assert.Equal(failure.Message, heard.Message);
        var cause = Assert.IsType<ConditionFailedException>(heard.InnerException);
        Assert.Equal("put manifest.json", cause.Message);
        Assert.Equal("no space", Assert.IsType<IOException>(cause.InnerException).Message);
    }

    [Fact]
    public async Task AShardThatIsMovedTakesWritesAllTheTime()
    {
        await using var silos = await SiloCluster.StartAsync(3, 3);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 0);
        var shard = (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards[0].Id;
        using var done = new CancellationTokenSource();
        var writes = 1;
        var writing = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                await silos.WriteAsync(silos.Silos[writes % 3], tenant, Series, start + (writes * 10), writes);
                writes++;
            }
        });

        for (var i = 0; i < 60; i++)
        {
            var to = silos.Silos.First(s => silos.Node(s).Find(shard) is null);
            await silos.Gateway(silos.Silos[i % 3]).MoveAsync(shard, silos.NodeOf(to), default);
            Assert.NotNull(silos.Node(to).Find(shard));
        }

        await done.CancelAsync();
        await writing;
        Assert.Equal(writes * Series, (await silos.ReadAsync(silos.Silos[2], tenant)).Count);
    }

    [Fact]
    public async Task AShardThatIsSentBackAtOnceIsNotHeldUp()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 0);
        var shard = (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards[0].Id;
        var sending = silos.Silos.Select(from => Task.Run(async () =>
        {
            var to = silos.NodeOf(silos.Silos.First(s => s != from)).Value;
            for (var began = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(5);)
            {
                try
                {
                    await silos.Of<IGrainFactory>(from).GetGrain<IShardGrain>(ShardKey.Of(shard)).MoveAsync(to);
                }
                catch (OrleansMessageRejectionException)
                {
                    // It ran after a grain that was elsewhere each time it came.
                }
            }
        }));

        // Less than the half minute after which Orleans gives up what waits for something that does not come.
        await Task.WhenAll(sending).WaitAsync(TimeSpan.FromSeconds(25));
        await silos.WriteAsync(silos.Silos[1], tenant, Series, start + 1000, 1);
        Assert.Equal(2 * Series, (await silos.ReadAsync(silos.Silos[0], tenant)).Count);
    }

    [Fact]
    public async Task AShardWhoseSiloIsLostOpensWhereItsLogLiesWithAllThatWasAcknowledged()
    {
        await using var silos = await SiloCluster.StartAsync(4, 3);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var shard = (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards[0].Id;
        var owner = silos.OwnerOf(shard);
        var holders = await silos.Node(owner).HoldersAsync(shard, default);

        await silos.KillAsync(owner);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start + 1000, 2);

        Assert.Contains(silos.NodeOf(silos.OwnerOf(shard)), holders);
        Assert.Equal(2 * Series, (await silos.ReadAsync(silos.Silos[1], tenant)).Count);
    }

    [Fact]
    public async Task ADrainedSiloOwnsNothingAndGetsNothing()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var drained = silos.Silos.First(s => silos.Node(s).Shards.Count > 0);

        await silos.Gateway(silos.Silos[0]).DrainAsync(silos.NodeOf(drained), default);

        Assert.Empty(silos.Node(drained).Shards);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start + 1000, 2);
        await silos.WriteAsync(silos.Silos[0], TenantId.Parse("team-b"), Series, start, 1);
        Assert.Empty(silos.Node(drained).Shards);
        Assert.Equal(2 * Series, (await silos.ReadAsync(drained, tenant)).Count);
    }

    [Fact]
    public async Task ASiloThatStopsHandsItsShardsOver()
    {
        await using var silos = await SiloCluster.StartAsync(3, 3);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var leaving = silos.Silos.First(s => silos.Node(s).Shards.Count > 0);
        var shards = silos.Node(leaving).Shards.Select(static s => s.Shard).ToList();

        await silos.StopAsync(leaving);

        Assert.Empty(silos.Node(leaving).Shards);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start + 1000, 2);
        Assert.All(shards, shard => Assert.NotNull(silos.OwnerOf(shard)));
        Assert.Equal(2 * Series, (await silos.ReadAsync(silos.Silos[0], tenant)).Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SilosThatAllStopDoNotWaitForShardsThatNobodyCanOpenAnyMore(bool together)
    {
        // Whoever waits for an opening, does so for longer than the test.
        await using var silos = await SiloCluster.StartAsync(3, 3, options: new SiloOptions { ReportEvery = TimeSpan.FromMilliseconds(300), BalanceEvery = TimeSpan.Zero, Resharding = new ReshardingOptions { Every = TimeSpan.Zero }, OpenPatience = TimeSpan.FromMinutes(2) });
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);

        var all = silos.Silos;
        var nodes = all.Select(silos.Node).ToList();
        foreach (var leaving in all.Chunk(together ? all.Count : 1))
        {
            await Task.WhenAll(leaving.Select(silos.StopAsync)).WaitAsync(TimeSpan.FromSeconds(30));
        }

        Assert.All(nodes, static n => Assert.Empty(n.Shards));
    }

    [Fact]
    public async Task MovesThatCannotBeAreRefused()
    {
        await using var silos = await SiloCluster.StartAsync(1, 1);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var gateway = silos.Gateway(silos.Silos[0]);
        var shard = new ShardId(tenant, new HashRange(0, 2));

        await Assert.ThrowsAsync<ArgumentException>(async () => await gateway.MoveAsync(shard, new NodeId("nobody"), default));
        await Assert.ThrowsAsync<ArgumentException>(async () => await gateway.DrainAsync(new NodeId("nobody"), default));
        await Assert.ThrowsAsync<ArgumentException>(async () => await gateway.DrainAsync(silos.NodeOf(silos.Silos[0]), default));
    }

    [Fact]
    public async Task MetadataThatOneGatewayHeardIsKnownToTheOthers()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2);
        var (a, b) = (silos.Gateway(silos.Silos[0]), silos.Gateway(silos.Silos[1]));
        var heard = (Grains.ClusterMetadata)(await a.OpenTenantAsync(tenant, default)).Metadata;
        heard.Put("up", new MetricMetadata("gauge", "whether it is up", ""));
        await heard.ExchangeAsync();

        var known = (await b.OpenTenantAsync(tenant, default)).Metadata;

        Assert.Equal("whether it is up", known.Get("up", 0, 0)["up"][0].Help);
    }
}
