using Metrics.Model;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>The limit on a tenant's active series, whose shards are on several silos.</summary>
public sealed class SiloLimitTests
{
    private static readonly TenantId tenant = TenantId.Parse("team-a");

    private long clock = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 60_000;

    [Fact]
    public async Task TheLimitIsTheTenantsHoweverItsShardsLie()
    {
        await using var silos = await StartAsync(50);
        Assert.Equal((30, 0), await WriteAsync(silos, 0, 0, 30));
        Assert.True(silos.Silos.Count(s => silos.Node(s).Shards.Count > 0) > 1, "all shards lie on one silo, and this shows nothing");
        Assert.Equal((20, 80), await WriteAsync(silos, 1, 100, 100));

        // Those that are there go on, and not one more is made.
        Assert.Equal((30, 0), await WriteAsync(silos, 2, 0, 30));
        Assert.Equal((0, 40), await WriteAsync(silos, 2, 300, 40));
        Assert.Equal((0, 7), await WriteAsync(silos, 0, 400, 7));
        Assert.Equal(50, await CountAsync(silos));
    }

    [Fact]
    public async Task AnotherTenantHasPlacesOfItsOwnAndOneWithoutALimitAsManyAsItLikes()
    {
        await using var silos = await StartAsync(20);
        Assert.Equal((20, 10), await WriteAsync(silos, 0, 0, 30));
        Assert.Equal((20, 10), await WriteAsync(silos, 0, 0, 30, TenantId.Parse("team-b")));
        Assert.Equal((100, 0), await WriteAsync(silos, 0, 0, 100, TenantId.Parse("free")));
    }

    [Fact]
    public async Task ShardsThatMoveOrAreLostTakeTheirSeriesAlong()
    {
        await using var silos = await StartAsync(50);
        Assert.Equal((40, 0), await WriteAsync(silos, 0, 0, 40));
        foreach (var shard in (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards)
        {
            var to = silos.Silos.First(s => silos.Node(s).Find(shard.Id) is null);
            await silos.Gateway(silos.Silos[0]).MoveAsync(shard.Id, silos.NodeOf(to), default);
        }

        Assert.Equal((10, 20), await WriteAsync(silos, 1, 100, 30));
        await silos.KillAsync(silos.Silos[2]);
        Assert.Equal((40, 0), await WriteAsync(silos, 0, 0, 40));
        Assert.Equal((0, 30), await WriteAsync(silos, 1, 200, 30));
        Assert.Equal(50, await CountAsync(silos));
    }

    private static async Task<SiloCluster> StartAsync(long most)
    {
        var silos = await SiloCluster.StartAsync(3, 2, shardsPerTenant: 8);
        foreach (var silo in silos.Silos)
        {
            silos.Node(silo).LimitSeries(t => t.Value == "free" ? default : new SeriesLimits(most, 0));
        }

        return silos;
    }

    /// <summary>Writes a sample of each of so many series, all shards at once; tries again while shards are on their way. What was taken, and what was refused for the limit.</summary>
    private async Task<(int Taken, int Refused)> WriteAsync(SiloCluster silos, int through, int from, int series, TenantId? of = null)
    {
        var timeMs = clock += 1000;
        var labels = Enumerable.Range(from, series).Select(static i => Labels.Of(("__name__", "m"), ("i", $"{i}"))).ToList();
        var shards = (await silos.Gateway(silos.Silos[through]).OpenTenantAsync(of ?? tenant, default)).Shards;
        var results = await Task.WhenAll(shards.Select(async shard =>
        {
            var end = DateTime.UtcNow.AddSeconds(60);
            while (true)
            {
                var batch = new SampleBatch();
                foreach (var one in labels.Where(l => shard.Id.Range.Contains(l.Hash)))
                {
                    batch.Add(SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(one.Encoded, one.Hash), timeMs, 1);
                }

                try
                {
                    return await shard.AppendAsync(batch, default);
                }
                catch (ShardUnavailableException) when (DateTime.UtcNow < end)
                {
                    await Task.Delay(100);
                }
            }
        }));
        Assert.All(results, static r => Assert.Equal(AppendStatus.Done, r.Status));
        Assert.All(results.SelectMany(static r => r.Rejections), static r => Assert.Equal(RejectReason.TooManySeries, r.Reason));
        return (results.Sum(static r => r.Accepted), results.SelectMany(static r => r.Rejections).Sum(static r => r.Count));
    }

    private static async Task<long> CountAsync(SiloCluster silos)
    {
        var sum = 0L;
        foreach (var shard in (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards)
        {
            sum += (await shard.StatisticsAsync(default)).HeadSeries;
        }

        return sum;
    }
}
