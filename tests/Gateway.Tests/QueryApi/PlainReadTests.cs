using System.Net;
using System.Text.Json;
using Metrics.Cluster;
using Xunit;

namespace Metrics.Gateway.Tests.QueryApi;

/// <summary>Requests that read data and are no queries: in turn, within their time, shown and stopped as queries are, and answered in part when that will do.</summary>
public sealed class PlainReadTests
{
    private const HttpStatusCode Stopped = (HttpStatusCode)499;

    private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static TheoryData<string> Paths { get; } =
    [
        "/api/v1/series?match[]=up", "/api/v1/labels", "/api/v1/label/job/values", "/api/v1/query_exemplars?query=up", "/api/v1/search/metric_names", "/api/v1/search/label_names", "/api/v1/search/label_values?label=job",
        "/api/v1/cardinality/active_series?selector=up", "/federate?match[]=up",
    ];

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task ItEndsWhenItsTimeIsUp(string path)
    {
        await using var app = await HangingAsync(TimeSpan.FromMilliseconds(100));

        var (status, body) = await app.GetAsync(path);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, """{"status":"error","errorType":"timeout","error":"the request timed out in execution"}"""), (status, body));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ARemoteReadEndsWhenItsTimeIsUp(bool isStream)
    {
        await using var app = await HangingAsync(TimeSpan.FromMilliseconds(100));

        var (status, body) = await app.SendAsync(HttpMethod.Post, "/api/v1/read", RealGateway.Body(QueryLimitsTests.ReadMessage("up", isStream)));

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "the request timed out in execution\n"), (status, body));
    }

    [Fact]
    public async Task ItWaitsForItsTurnIsShownAndCanBeStopped()
    {
        await using var app = await HangingAsync(TimeSpan.FromMinutes(1), maxConcurrency: 1);
        var running = app.GetAsync("/api/v1/series?match[]=up{job=\"a\"}&start=10&end=20");
        var first = (await ActiveAsync(app, 1))[0];
        var waiting = app.GetAsync("/api/v1/labels");
        var second = (await ActiveAsync(app, 2))[1];

        Assert.Equal(("series {job=\"a\",__name__=\"up\"}", "running", 10m, 20m), (Text(first, "query"), Text(first, "state"), first.GetProperty("start").GetDecimal(), first.GetProperty("end").GetDecimal()));
        Assert.Equal(("labels", "waiting"), (Text(second, "query"), Text(second, "state")));
        foreach (var (request, id) in new[] { (waiting, Text(second, "id")), (running, Text(first, "id")) })
        {
            Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(HttpMethod.Delete, "/api/v1/status/active_queries/" + id, null)).Status);
            Assert.Equal(Stopped, (await request).Status);
        }
    }

    [Fact]
    public async Task TooManyThatWaitAreRefused()
    {
        await using var app = await HangingAsync(TimeSpan.FromMinutes(1), maxConcurrency: 1, maxOutstanding: 1);
        var running = app.GetAsync("/api/v1/labels");
        await ActiveAsync(app, 1);
        var waiting = app.GetAsync("/api/v1/labels");
        await ActiveAsync(app, 2);

        var (status, body) = await app.GetAsync("/api/v1/labels");

        Assert.Equal(HttpStatusCode.TooManyRequests, status);
        Assert.Contains("max_outstanding_requests_per_tenant of 1", body, StringComparison.Ordinal);
        released.SetResult();
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK], [(await running).Status, (await waiting).Status]);
    }

    [Theory]
    [InlineData("/api/v1/series?match[]=up")]
    [InlineData("/api/v1/labels?")]
    [InlineData("/api/v1/label/job/values?")]
    [InlineData("/api/v1/query_exemplars?query=up")]
    public async Task AShardThatIsAwayIsAnErrorOrWhereThatWillDoAWarning(string path)
    {
        await using var app = await GatewayApp.StartAsync();
        var shard = app.Cluster["default"].Shards[0].Id;
        app.Cluster.Reading = _ => throw new ShardUnavailableException(shard, "its silo is gone");

        var whole = await app.GetAsync(path);
        var partial = await app.GetAsync(path + "&partial_response=true");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, whole.Status);
        Assert.Equal((HttpStatusCode.OK, $$"""{"status":"success","data":[],"warnings":["shard {{shard}} is unavailable: its silo is gone"]}"""), (partial.Status, partial.Body));
    }

    private async Task<GatewayApp> HangingAsync(TimeSpan timeout, int maxConcurrency = 20, int maxOutstanding = 100)
    {
        var app = await GatewayApp.StartAsync(o =>
        {
            o.Query.Timeout = timeout;
            o.Limits.MaxQueryConcurrency = maxConcurrency;
            o.Limits.MaxOutstandingRequestsPerTenant = maxOutstanding;
        });
        _ = app.Cluster["default"];
        app.Cluster.Reading = cancellation => released.Task.WaitAsync(cancellation);
        return app;
    }

    private static async Task<List<JsonElement>> ActiveAsync(GatewayApp app, int count)
    {
        while (true)
        {
            using var listed = JsonDocument.Parse((await app.GetAsync("/api/v1/status/active_queries")).Body);
            var queries = listed.RootElement.GetProperty("data").GetProperty("activeQueries").EnumerateArray().Select(static q => q.Clone()).ToList();
            if (queries.Count == count && (count > 1 || Text(queries[0], "state") == "running"))
            {
                return queries;
            }
        }
    }

    private static string Text(JsonElement of, string name) => of.GetProperty(name).GetString()!;
}
