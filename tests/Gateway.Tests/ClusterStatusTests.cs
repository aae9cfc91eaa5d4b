using System.Net;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.Cli;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>What the cluster looks like over HTTP and on the command line, and the orders it takes.</summary>
public sealed class ClusterStatusTests
{
    [Fact]
    public async Task TheSingleProcessHasNoSilosAndNothingToMove()
    {
        await using var app = await GatewayApp.StartAsync();

        var (status, body) = await app.GetAsync("/api/v1/status/cluster");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("\"data\":{\"silos\":[],\"shards\":[],\"moves\":[],\"changes\":[]}", body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await app.PostFormAsync("/api/v1/admin/cluster/move", "tenant=a&range=all&to=n")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await app.PostFormAsync("/api/v1/admin/cluster/drain", "node=n")).Status);
    }

    [Fact]
    public async Task ATenantSeesItsOwnShardsAndAnOperatorAll()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.Control = new FakeControl();

        var own = await ShardsAsync(app, "/api/v1/status/cluster", ("X-Scope-OrgID", "team-a"));
        var all = await ShardsAsync(app, "/api/v1/status/cluster?tenants=all", ("X-Scope-OrgID", "team-a"));

        Assert.Equal(["team-a/0b0"], own);
        Assert.Equal(["team-a/0b0", "team-b/all"], all);
    }

    [Fact]
    public async Task AShardThatNobodyHoldsIsShownAndSoIsOneOnItsWay()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.Control = new FakeControl();
        _ = app.Cluster["team-a"];

        var (_, body) = await app.GetAsync("/api/v1/status/cluster", ("X-Scope-OrgID", "team-a"));
        using var answer = JsonDocument.Parse(body);
        var shown = answer.RootElement.GetProperty("data");

        Assert.Equal(["0b0 n1 Open", "0b1  Closed"], shown.GetProperty("shards").EnumerateArray().Select(static s => $"{s.GetProperty("range")} {s.GetProperty("owner")} {s.GetProperty("state")}"));
        Assert.Equal(["0b0 n1 n2 2026-11-21T10:00:00+00:00"], shown.GetProperty("moves").EnumerateArray().Select(static m => $"{m.GetProperty("range")} {m.GetProperty("from")} {m.GetProperty("to")} {m.GetProperty("since")}"));
        Assert.Equal(["team-a/0b0", "team-b/all", "team-a/0b1"], await ShardsAsync(app, "/api/v1/status/cluster?tenants=all", ("X-Scope-OrgID", "team-b")));
        Assert.Contains("n1    n2  2026", (await RunAsync("cluster", "status", "--url", app.Http.BaseAddress!.ToString())).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutTheAdminApiNobodySeesOthersOrMovesAnything()
    {
        await using var app = await GatewayApp.StartAsync(static o => o.Http.AdminApi = false);
        app.Cluster.Control = new FakeControl();

        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/api/v1/status/cluster")).Status);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.GetAsync("/api/v1/status/cluster?tenants=all")).Status);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.PostFormAsync("/api/v1/admin/cluster/drain", "node=n1")).Status);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.PostFormAsync("/api/v1/admin/cluster/move", "tenant=a&range=all&to=n1")).Status);
    }

    [Theory]
    [InlineData("tenant=team-a&range=0b0&to=n2", 204)]
    [InlineData("tenant=team-a&range=0b0&to=nobody", 400)]
    [InlineData("tenant=team-a&range=0b0&to=busy", 503)]
    [InlineData("tenant=team-a&range=0b0", 400)]
    [InlineData("tenant=team-a&range=0b2&to=n2", 400)]
    [InlineData("tenant=..&range=all&to=n2", 400)]
    [InlineData("range=all&to=n2", 400)]
    public async Task AMoveIsDoneOrRefusedWithAReason(string form, int status)
    {
        await using var app = await GatewayApp.StartAsync();
        var control = new FakeControl();
        app.Cluster.Control = control;

        Assert.Equal(status, (int)(await app.PostFormAsync("/api/v1/admin/cluster/move", form)).Status);
        Assert.Equal(status == 204 ? ["move team-a/0b0 n2"] : [], control.Done);
    }

    [Fact]
    public async Task TheCommandsShowAndSteerAClusterThatRuns()
    {
        await using var app = await GatewayApp.StartAsync();
        var control = new FakeControl();
        app.Cluster.Control = control;
        var url = app.Http.BaseAddress!.ToString();

        var (status, table, _) = await RunAsync("cluster", "status", "--url", url);
        Assert.Equal(0, status);
        Assert.Contains("team-a/0b0", table, StringComparison.Ordinal);
        Assert.Contains("n2 (3, copying)", table, StringComparison.Ordinal);
        Assert.Contains("eu-1", table, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("cluster", "move", "--url", url, "team-a/0b0", "n2")).Code);
        Assert.Equal(0, (await RunAsync("cluster", "drain", "--url", url, "n1")).Code);
        Assert.Equal(["move team-a/0b0 n2", "drain n1"], control.Done);

        var (code, _, error) = await RunAsync("cluster", "move", "--url", url, "team-a/0b0", "nobody");
        Assert.Equal(1, code);
        Assert.Contains("there is no silo nobody", error, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("cluster", "status", "--url", "http://127.0.0.1:1")).Code);
    }

    [Fact]
    public async Task ASiloThatOnlyHoldsShardsSaysHowItIsAndTakesNoRequests()
    {
        await using var app = await GatewayApp.StartAsync(static o => o.Cluster.Role = Configuration.SiloRole.Shards);

        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/-/ready")).Status);
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/metrics")).Status);
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/api/v1/status/cluster")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await app.GetAsync("/api/v1/query?query=up")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await app.PostFormAsync("/api/v1/write", "")).Status);
    }

    private static async Task<string[]> ShardsAsync(GatewayApp app, string path, (string, string) header)
    {
        var (_, body) = await app.GetAsync(path, header);
        using var answer = JsonDocument.Parse(body);
        return [.. answer.RootElement.GetProperty("data").GetProperty("shards").EnumerateArray().Select(static s => $"{s.GetProperty("tenant")}/{s.GetProperty("range")}")];
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(args, static (_, _, _, _) => throw new InvalidOperationException("no server is started"), output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }

    private sealed class FakeControl : IClusterControl
    {
        public List<string> Done { get; } = [];

        public IReadOnlyList<ClusterSilo> Silos { get; } =
        [
            new("127.0.0.1:11111@1", "Active", new SiloCard(new NodeId("n1"), "eu-1", "127.0.0.1:10902"), new SiloReport("n1", false, 0.5, 0.25, 1 << 30, [Shard("team-a", "0b0"), Shard("team-b", "all")])
            {
                Moves = [new ShardMoveReport("team-a", "0b0", "n2", new DateTimeOffset(2026, 11, 21, 10, 0, 0, TimeSpan.Zero))],
            }),
            new("127.0.0.1:11112@2", "Joining", new SiloCard(new NodeId("n2"), "", ""), null),
        ];

        public ValueTask MoveAsync(ShardId shard, NodeId to, CancellationToken cancellation)
        {
            switch (to.Value)
            {
                case "nobody":
                    throw new ArgumentException("there is no silo nobody");
                case "busy":
                    throw new ShardUnavailableException(shard, "not now");
            }

            Done.Add($"move {shard} {to}");
            return ValueTask.CompletedTask;
        }

        public ValueTask DrainAsync(NodeId silo, CancellationToken cancellation)
        {
            Done.Add($"drain {silo}");
            return ValueTask.CompletedTask;
        }

        private static ShardReport Shard(string tenant, string range) =>
            new(tenant, range, ShardState.Open, 7, 100, 97, [new FollowerReport("n1", 0, true, null), new FollowerReport("n2", 3, false, null)], 0, 0, 1000, 2, 4096, 66.6);
    }
}
