using Metrics.Model;
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
