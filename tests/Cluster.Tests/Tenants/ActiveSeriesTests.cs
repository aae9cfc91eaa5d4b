using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster.Tests;

public sealed class ActiveSeriesTests : IDisposable
{
    private static readonly TenantId A = TenantId.Parse("a");
    private static readonly TenantId B = TenantId.Parse("b");

    private readonly string folder = Directory.CreateTempSubdirectory("active").FullName;
    private SeriesLimits limits = new(10, 0);

    [Fact]
    public async Task TheCountHoldsOverAllShardsAndARestart()
    {
        await using (var cluster = await OpenAsync())
        {
            Assert.Equal((10, 0), await WriteAsync(cluster, A, "m", 10));
            Assert.Equal((10, 5), await WriteAsync(cluster, A, "m", 15));
            Assert.Equal((10, 0), await WriteAsync(cluster, B, "m", 10));
        }

        await using var again = await OpenAsync();
        Assert.Equal((10, 5), await WriteAsync(again, A, "m", 15));
        limits = new(12, 0);
        Assert.Equal((12, 3), await WriteAsync(again, A, "m", 15));
        limits = default;
        Assert.Equal((15, 0), await WriteAsync(again, A, "m", 15));
    }

    [Fact]
    public async Task ThePlacesOfSeriesThatEndedAreGivenToOthers()
    {
        await using var cluster = await OpenAsync();
        Assert.Equal((10, 0), await WriteAsync(cluster, A, "m", 10));
        Assert.Equal((0, 10), await WriteAsync(cluster, A, "n", 10));
        foreach (var shard in (await cluster.FindTenantAsync(A, default))!.Shards)
        {
            await shard.FlushAsync(default);
        }

        Assert.Equal((10, 0), await WriteAsync(cluster, A, "n", 10));
    }

    [Fact]
    public async Task TheCountOfAMetricFollowsWhatTheHeadsHold()
    {
        await using var cluster = await OpenAsync();
        limits = new(0, 10);
        Assert.Equal((10, 10), await WriteAsync(cluster, A, "m", 20));
        Assert.Equal((10, 2), await WriteAsync(cluster, A, "n", 12));
        foreach (var shard in (await cluster.FindTenantAsync(A, default))!.Shards)
        {
            await shard.FlushAsync(default);
        }

        Assert.Equal((10, 10), await WriteAsync(cluster, A, "m", 20));
    }

    [Fact]
    public async Task TheCountOfAMetricHoldsOverAllShardsAndARestart()
    {
        limits = new(0, 10);
        await using (var cluster = await OpenAsync())
        {
            Assert.Equal((10, 2), await WriteAsync(cluster, A, "m", 12));
        }

        await using (var again = await OpenAsync())
        {
            // Whichever shards the new ones would fall into.
            for (var i = 100; i < 130; i++)
            {
                Assert.Equal((0, 1), await WriteAsync(again, A, "m", 1, i));
            }

            Assert.Equal((10, 2), await WriteAsync(again, A, "m", 12));
            limits = default;
            Assert.Equal((15, 0), await WriteAsync(again, A, "m", 15));
            limits = new(0, 17);
            Assert.Equal((12, 0), await WriteAsync(again, A, "n", 12));
        }

        await using var third = await OpenAsync();
        Assert.Equal((17, 3), await WriteAsync(third, A, "m", 20));
        Assert.Equal((17, 1), await WriteAsync(third, A, "n", 18));
    }

    [Fact]
    public async Task ADeletionThatWasBegunIsFinishedByTheNextStart()
    {
        await using (var cluster = await OpenAsync())
        {
            await WriteAsync(cluster, A, "m", 5);
            await WriteAsync(cluster, B, "m", 5);
            await cluster.MarkForDeletionAsync(A, default);
            Assert.NotNull(await cluster.FindTenantAsync(A, default));
        }

        await using var again = await OpenAsync();
        while (await again.IsMarkedForDeletionAsync(A, default))
        {
            await Task.Yield();
        }

        Assert.Null(await again.FindTenantAsync(A, default));
        Assert.False(Directory.Exists(Path.Combine(folder, "tenants", "a")));
        Assert.NotNull(await again.FindTenantAsync(B, default));
        Assert.Equal((5, 0), await WriteAsync(again, A, "m", 5));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private async Task<InProcessCluster> OpenAsync()
    {
        var cluster = InProcessCluster.Open(new StorageOptions { DataDirectory = folder, ShardsPerTenant = 4 }, new EngineOptions(), TimeProvider.System, _ => { });
        cluster.LimitSeries(_ => limits);
        await cluster.Ready;
        return cluster;
    }

    private static async Task<(int Taken, int Refused)> WriteAsync(InProcessCluster cluster, TenantId tenant, string name, int series, int from = 0)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var bodies = Enumerable.Range(from, series).Select(i => PairLabels.Encode(("__name__", name), ("i", i.ToString()))).ToList();
        using var request = new TenantWriter(await cluster.OpenTenantAsync(tenant, default), new LabelLimits()).Begin<PairLabels>(bodies.SelectMany(b => b).ToArray());
        foreach (var body in bodies)
        {
            request.BeginSeries(body);
            request.Add(now, 1);
        }

        var outcome = await request.WriteAsync(default);
        return (outcome.Accepted, outcome.Rejected);
    }
}
