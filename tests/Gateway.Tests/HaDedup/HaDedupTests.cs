using System.Net;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.HaDedup;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Tests.Otlp;
using Metrics.Model;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests.HaDedup;

/// <summary>Pairs of Prometheis that send the same: one is stored, the other is told 202.</summary>
public class HaDedupTests
{
    private readonly ManualTime time = new();

    [Fact]
    public async Task TheFirstReplicaIsElectedAndTheOtherTakesOverWhenItFallsSilent()
    {
        await using var app = await StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "a", 1));
        Assert.Equal(HttpStatusCode.Accepted, await WriteAsync(app, "c1", "b", 2));
        time.Move(TimeSpan.FromSeconds(20));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "a", 3));
        time.Move(TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.Accepted, await WriteAsync(app, "c1", "b", 4));
        time.Move(TimeSpan.FromMilliseconds(1));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "b", 5));
        Assert.Equal(HttpStatusCode.Accepted, await WriteAsync(app, "c1", "a", 6));

        // The label that tells replicas apart is not stored, so both write the same series.
        Assert.Equal(["up{cluster=\"c1\"} 1 1", "up{cluster=\"c1\"} 3 1", "up{cluster=\"c1\"} 5 1"], app.Cluster["default"].Samples);
        var metrics = (await app.GetAsync("/metrics")).Body;
        Assert.Contains("metrics_ha_deduplicated_requests_total{tenant=\"default\"} 3\n", metrics, StringComparison.Ordinal);
        Assert.Contains("metrics_ha_failovers_total 1\n", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClustersAndTenantsElectByThemselves()
    {
        await using var app = await StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "a", 1));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c2", "b", 1));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "b", 1, "other"));
        Assert.Equal(HttpStatusCode.Accepted, await WriteAsync(app, "c1", "a", 1, "other"));
    }

    [Theory]
    [InlineData("__name__=up,cluster=c", "up{cluster=\"c\"} 1 1")]
    [InlineData("__name__=up,__replica__=b", "up{__replica__=\"b\"} 1 1")]
    public async Task WithoutBothLabelsAWriteIsNoPairs(string labels, string want)
    {
        await using var app = await StartAsync();
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series(labels, (1, 1))))).Status);
        }

        Assert.Equal([want], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task OffByDefaultEverythingIsStoredAsItIs()
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "a", 1));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "b", 1));
        Assert.Equal(["up{__replica__=\"a\", cluster=\"c1\"} 1 1", "up{__replica__=\"b\", cluster=\"c1\"} 1 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task MoreClustersThanTheLimitAreRefusedUntilOneIsForgotten()
    {
        await using var app = await StartAsync(options => options.Limits.HaMaxClusters = 2);
        await WriteAsync(app, "c1", "a", 1);
        await WriteAsync(app, "c2", "a", 1);
        var (status, text) = await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up,__replica__=a,cluster=c3", (1, 1))));
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("tenant default exceeds its limit ha_max_clusters of 2 clusters of replicas, got cluster 'c3'", text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Accepted, await WriteAsync(app, "c1", "b", 1));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c3", "a", 1, "other"));
        time.Move(TimeSpan.FromMinutes(31));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c3", "a", 1));
    }

    [Fact]
    public async Task LabelNamesAreConfigurable()
    {
        await using var app = await StartAsync(options => (options.Limits.HaClusterLabel, options.Limits.HaReplicaLabel) = ("prometheus", "prometheus_replica"));
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up,prometheus=p,prometheus_replica=0", (1, 1))))).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up,prometheus=p,prometheus_replica=1", (1, 1))))).Status);
        Assert.Equal(["up{prometheus=\"p\"} 1 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task OtlpAndInfluxWritesArePairsToo()
    {
        await using var app = await StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(app, "c1", "a", 1));
        var otlp = OtlpTests.OneResource("", OtlpBytes.Gauge("g", "", OtlpBytes.Number(1000, 1, OtlpBytes.Attributes("cluster=c1,__replica__=b"))));
        var (status, body, _) = await OtlpWrite.SendAsync(app, otlp);
        Assert.Equal((HttpStatusCode.OK, 0), (status, body.Length));
        Assert.Equal(HttpStatusCode.Accepted, (await app.SendAsync(HttpMethod.Post, "/write", new StringContent("m,cluster=c1,__replica__=b v=1", Encoding.UTF8))).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(HttpMethod.Post, "/write", new StringContent("m,cluster=c1,__replica__=a v=1 1000000", Encoding.UTF8))).Status);
        Assert.Equal(["m_v{cluster=\"c1\"} 1 1", "up{cluster=\"c1\"} 1 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public void OneReplicaIsElectedHoweverManyAskAtOnce()
    {
        var elections = new ReplicaElections(new LocalElector(time), time, TimeSpan.FromSeconds(30), TimeSpan.Zero);
        var admitted = new bool[8, 1000];
        Parallel.For(0, 8, replica =>
        {
            for (var i = 0; i < 1000; i++)
            {
                admitted[replica, i] = Admits($"c{i}", $"r{replica}");
            }
        });
        for (var i = 0; i < 1000; i++)
        {
            Assert.Single(Enumerable.Range(0, 8), replica => admitted[replica, i]);
        }

        Assert.Equal(1000, elections.Of(TenantId.Parse("t")).Count);
        Assert.Throws<WriteRefusal>(() => Admits("one more", "r"));

        bool Admits(string cluster, string replica)
        {
            var answer = elections.AdmitsAsync(TenantId.Parse("t"), cluster, replica, 1000);
            Assert.True(answer.IsCompleted, "an elector in this process answers at once");
            return answer.GetAwaiter().GetResult();
        }
    }

    [Fact]
    public async Task TenantsHavePairsAndNamesOfTheirOwn()
    {
        var overrides = Path.GetTempFileName();
        await File.WriteAllTextAsync(overrides, "overrides:\n  pairs:\n    accept_ha_samples: true\n    ha_cluster_label: set\n    ha_replica_label: member\n    ha_max_clusters: 1\n");
        await using var app = await GatewayApp.StartAsync(options => options.Tenancy.OverridesFile = overrides, time: time);
        Assert.Equal(
            [HttpStatusCode.NoContent, HttpStatusCode.Accepted, HttpStatusCode.BadRequest, HttpStatusCode.NoContent],
            [await WriteAsync("pairs", "s1", "a"), await WriteAsync("pairs", "s1", "b"), await WriteAsync("pairs", "s2", "a"), await WriteAsync("plain", "s1", "b")]);
        Assert.Equal(["up{set=\"s1\"} 1 1"], app.Cluster["pairs"].Samples);
        Assert.Equal(["up{member=\"b\", set=\"s1\"} 1 1"], app.Cluster["plain"].Samples);
        File.Delete(overrides);

        async Task<HttpStatusCode> WriteAsync(string tenant, string set, string member) =>
            (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series($"__name__=up,member={member},set={set}", (1, 1))), ("X-Scope-OrgID", tenant))).Status;
    }

    private Task<GatewayApp> StartAsync(Action<GatewayOptions>? configure = null) => GatewayApp.StartAsync(
        options =>
        {
            options.Limits.AcceptHaSamples = true;
            configure?.Invoke(options);
        },
        time: time);

    private static async Task<HttpStatusCode> WriteAsync(GatewayApp app, string cluster, string replica, long timeMs, string tenant = "default") =>
        (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series($"__name__=up,__replica__={replica},cluster={cluster}", (timeMs, 1))), ("X-Scope-OrgID", tenant))).Status;
}
