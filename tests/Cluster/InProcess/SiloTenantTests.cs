using System.Collections.Concurrent;
using System.Diagnostics;
using Metrics.Model;
using Metrics.PromQL;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>What a gateway does with a tenant whose shards are on several silos is what the single process does.</summary>
public sealed class SiloTenantTests
{
    private const int Series = 64;

    private static readonly TenantId tenant = TenantId.Parse("team-a");

    private readonly long start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 60_000;

    [Fact]
    public async Task EveryGatewayTellsTheSameOfPastAndLabels()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);

        var histories = new List<string>();
        foreach (var silo in silos.Silos)
        {
            var shards = (await silos.Gateway(silo).OpenTenantAsync(tenant, default)).Shards;
            var history = new List<ShardHistory>();
            var (series, distinct, statistics) = (0L, 0L, 0L);
            foreach (var shard in shards)
            {
                history.Add(await shard.HistoryAsync(default));
                var cardinality = await shard.CardinalityAsync(new CardinalityQuery(null, ["i"], 10), default);
                series += cardinality.Series;
                distinct += cardinality.Labels.Single(static l => l.Name == "i").Values.Count;
                statistics += (await shard.StatisticsAsync(default)).HeadSeries;
            }

            Assert.Equal((Series, Series, Series), (series, distinct, statistics));
            Assert.DoesNotContain(ShardHistory.Unknown, history);
            histories.Add(string.Join('\n', history.Select(static h => $"{h.Incarnation} {h.Changes}"))); // The line moves with the clock.
        }

        Assert.Single(histories.Distinct());
    }

    [Fact]
    public async Task AGatewayKnowsTenantsThatNobodyHasAskedItFor()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var other = silos.Gateway(silos.Silos[1]);

        Assert.Equal([tenant], await other.ListTenantsAsync(default));
        var peeked = await other.PeekTenantAsync(tenant, default);
        Assert.Equal(4, peeked!.Shards.Count);
        Assert.Empty(other.Tenants);

        // All heads are cut, wherever they are and whoever is asked.
        await other.FlushAsync(default);
        foreach (var shard in peeked.Shards)
        {
            Assert.Equal((0, 1), ((await shard.StatisticsAsync(default)).HeadChunks, (await shard.StatisticsAsync(default)).Blocks));
        }
    }

    [Fact]
    public async Task WhatIsCountedOfAClosedShardIsInItsManifest()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var shard = (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards[0];
        await shard.FlushAsync(default);
        var open = await shard.StatisticsAsync(default);

        var closed = await ClosedShard.StatisticsAsync(silos.Gateway(silos.Silos[0]).Objects, shard.Id, default);

        Assert.Equal(1, closed.Blocks);
        Assert.Equal((open.Blocks, open.BlockBytes, open.NewestSampleMs), (closed.Blocks, closed.BlockBytes, closed.NewestSampleMs));
        Assert.Equal(default, await ClosedShard.StatisticsAsync(silos.Gateway(silos.Silos[0]).Objects, new ShardId(TenantId.Parse("nobody"), HashRange.Everything), default));
    }

    [Fact]
    public async Task WhatATenantAskedOfEachGatewayIsAddedUp()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2);
        TenantId[] asked = [tenant, TenantId.Parse("team-b")];
        for (var i = 0; i < 3; i++)
        {
            var n = i + 1;
            silos.Gateway(silos.Silos[i]).ServeCounts(of => [.. of.Select(t => t == tenant ? new TenantCounts(n / 10.0, n, 10 * n, 100 * n, 1000 * n, 10_000 * n, 100_000 * n) : default)]);
        }

        var elsewhere = await silos.Gateway(silos.Silos[0]).CountsElsewhereAsync(asked, default);

        Assert.Equal([new TenantCounts((2 / 10.0) + (3 / 10.0), 5, 50, 500, 5000, 50_000, 500_000), default], elsewhere);
    }

    [Fact]
    public async Task ACallToAnotherSiloIsPartOfItsCallersTrace()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static s => s.Name is ClusterTracing.SourceName or "test",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var shard = (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards[0].Id;
        var elsewhere = silos.Silos.Single(s => silos.Node(s).Find(shard) is null);
        using var source = new ActivitySource("test");
        ActivityTraceId trace;
        using (var request = source.StartActivity("request")!)
        {
            trace = request.TraceId;
            var shards = (await silos.Gateway(elsewhere).OpenTenantAsync(tenant, default)).Shards;
            using var counted = await new QueryEngine(new EngineOptions()).ExecuteAsync(new QueryRequest("count(m)", TimeGrid.Instant(start), IsRange: false), shards, default);
            Assert.Equal(Series, counted.Series[0].Points.Values[0]);
        }

        var mine = spans.Where(s => s.TraceId == trace).ToDictionary(static s => s.SpanId);
        var path = new List<string>();
        for (var at = mine.Values.Single(static s => s.OperationName == "shard.query"); at is not null; at = mine.GetValueOrDefault(at.ParentSpanId))
        {
            path.Add(at.OperationName);
        }

        Assert.Equal(["shard.query", "shard.answer", "shard.call", "request"], path);
    }

    [Fact]
    public async Task ASnapshotHasTheBlocksOfEveryShardWhicheverSiloIsAsked()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        foreach (var silo in silos.Silos)
        {
            await silos.WriteAsync(silo, tenant, Series, start + silo.SiloAddress.Endpoint.Port, 2);
            var asked = await silos.Gateway(silo).OpenTenantAsync(tenant, default);
            var name = await asked.SnapshotAsync(skipHead: false, default);

            var folder = Path.Combine(silos.DataOf(silo), "tenants", tenant.Value, "snapshots", name);
            Assert.Empty(Directory.GetDirectories(Path.GetDirectoryName(folder)!, "*.tmp"));
            var found = 0L;
            foreach (var block in Directory.GetDirectories(folder))
            {
                var meta = System.Text.Json.JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(block, "meta.json"))).RootElement;
                found += meta.GetProperty("stats").GetProperty("numSamples").GetInt64();
            }

            Assert.Equal((await silos.ReadAsync(silo, tenant)).Count, found);
            Assert.NotEmpty(Directory.GetDirectories(Path.Combine(Path.GetDirectoryName(folder)!, await asked.SnapshotAsync(skipHead: true, default))));
        }
    }

    [Fact]
    public async Task ADeletedTenantIsGoneFromEverySiloAndMayBeMadeAgain()
    {
        var other = TenantId.Parse("team-b");
        await using var silos = await SiloCluster.StartAsync(3, 3);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        await silos.WriteAsync(silos.Silos[0], other, Series, start, 1);
        foreach (var silo in silos.Silos)
        {
            Assert.Equal(Series, (await silos.ReadAsync(silo, tenant)).Count); // So that every gateway has it open.
        }

        var shards = (await silos.Gateway(silos.Silos[1]).OpenTenantAsync(tenant, default)).Shards;
        foreach (var shard in shards.Take(2))
        {
            await shard.FlushAsync(default);
        }

        var gateway = silos.Gateway(silos.Silos[1]);
        await gateway.MarkForDeletionAsync(tenant, default);
        Assert.True(await silos.Gateway(silos.Silos[2]).IsMarkedForDeletionAsync(tenant, default));
        await Task.WhenAll(gateway.DeleteMarkedAsync(tenant, default).AsTask(), silos.Gateway(silos.Silos[0]).DeleteMarkedAsync(tenant, default).AsTask());

        Assert.False(await gateway.IsMarkedForDeletionAsync(tenant, default));
        foreach (var silo in silos.Silos)
        {
            Assert.Null(await silos.Gateway(silo).FindTenantAsync(tenant, default));
            Assert.DoesNotContain(silos.Node(silo).Shards, s => s.Shard.Tenant == tenant);
            Assert.Empty(Files(Path.Combine(silos.DataOf(silo), "replicas", tenant.Value)));
            Assert.Empty(Files(Path.Combine(silos.DataOf(silo), "tenants", tenant.Value)));
            Assert.Equal(Series, (await silos.ReadAsync(silo, other)).Count);
        }

        var left = await silos.KeysAsync($"{tenant}/");
        Assert.All(left, static key => Assert.EndsWith("/manifest.json", key, StringComparison.Ordinal));

        // Who still has a shard of it in hand is refused, and it can't come back by that.
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await shards[0].HistoryAsync(default));
        Assert.Null(await gateway.FindTenantAsync(tenant, default));

        await silos.WriteAsync(silos.Silos[2], tenant, Series, start + 5, 5);
        foreach (var silo in silos.Silos)
        {
            Assert.All(await silos.ReadAsync(silo, tenant), static s => Assert.Equal(5, s.Value));
            Assert.Equal(Series, (await silos.ReadAsync(silo, tenant)).Count);
        }
    }

    [Fact]
    public async Task MetadataOfADeletedTenantDoesNotComeBack()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2);
        var gateway = silos.Gateway(silos.Silos[0]);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var heard = (Grains.ClusterMetadata)(await gateway.OpenTenantAsync(tenant, default)).Metadata;
        heard.Put("up", new MetricMetadata("gauge", "of the old one", ""));
        await heard.ExchangeAsync();

        await gateway.MarkForDeletionAsync(tenant, default);
        await gateway.DeleteMarkedAsync(tenant, default);

        foreach (var silo in silos.Silos)
        {
            var again = await silos.Gateway(silo).OpenTenantAsync(tenant, default);
            await ((Grains.ClusterMetadata)again.Metadata).ExchangeAsync();
            Assert.Empty(again.Metadata.Get(null, 0, 0));
        }
    }

    private static string[] Files(string folder) => Directory.Exists(folder) ? Directory.GetFiles(folder, "*", SearchOption.AllDirectories) : [];
}
