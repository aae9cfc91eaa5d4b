using System.IO.Compression;
using System.Net;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.PromQL;
using Xunit;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.Tests;

public class QueryApiTests
{
    [Theory]
    [InlineData("/api/v1/query?query=up&time=x", "invalid parameter \\\"time\\\": invalid time value for 'time': cannot parse \\\"x\\\" to a valid timestamp")]
    [InlineData("/api/v1/query?query=up&limit=-1", "invalid parameter \\\"limit\\\": limit must be non-negative")]
    [InlineData("/api/v1/query?query=up&limit=a", "invalid parameter \\\"limit\\\": strconv.Atoi: parsing \\\"a\\\": invalid syntax")]
    [InlineData("/api/v1/query?query=up&limit=99999999999999999999", "invalid parameter \\\"limit\\\": strconv.Atoi: parsing \\\"99999999999999999999\\\": value out of range")]
    [InlineData("/api/v1/query?query=up&timeout=x", "invalid parameter \\\"timeout\\\": cannot parse \\\"x\\\" to a valid duration")]
    [InlineData("/api/v1/query?query=up&lookback_delta=x", "error parsing lookback delta duration: cannot parse \\\"x\\\" to a valid duration")]
    [InlineData("/api/v1/query_range?query=up&end=1&step=1", "invalid parameter \\\"start\\\": cannot parse \\\"\\\" to a valid timestamp")]
    [InlineData("/api/v1/query_range?query=up&start=1&step=1", "invalid parameter \\\"end\\\": cannot parse \\\"\\\" to a valid timestamp")]
    [InlineData("/api/v1/query_range?query=up&start=2&end=1&step=1", "invalid parameter \\\"end\\\": end timestamp must not be before start time")]
    [InlineData("/api/v1/query_range?query=up&start=1&end=2", "invalid parameter \\\"step\\\": cannot parse \\\"\\\" to a valid duration")]
    [InlineData("/api/v1/query_range?query=up&start=1&end=2&step=1e20", "invalid parameter \\\"step\\\": cannot parse \\\"1e20\\\" to a valid duration. It overflows int64")]
    [InlineData("/api/v1/query_range?query=up&start=1&end=2&step=0", "invalid parameter \\\"step\\\": zero or negative query resolution step widths are not accepted. Try a positive integer")]
    [InlineData("/api/v1/query_range?query=up&start=1&end=2&step=-5", "invalid parameter \\\"step\\\": zero or negative query resolution step widths are not accepted. Try a positive integer")]
    [InlineData("/api/v1/query_range?query=up&start=0&end=11001&step=1", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")]
    [InlineData("/api/v1/series", "no match[] parameter provided")]
    [InlineData("/api/v1/series?match[]=up&start=x", "invalid parameter \\\"start\\\": invalid time value for 'start': cannot parse \\\"x\\\" to a valid timestamp")]
    [InlineData("/api/v1/metadata?limit=x", "limit must be a number")]
    [InlineData("/api/v1/metadata?limit_per_metric=x", "limit_per_metric must be a number")]
    public async Task BadParametersAreRefusedInTheWordsOfPrometheus(string path, string message)
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, body) = await app.GetAsync(path);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal($$"""{"status":"error","errorType":"bad_data","error":"{{message}}"}""", body);
    }

    [Theory]
    [InlineData("GET", "/nothing", 404, "404 page not found\n")]
    [InlineData("GET", "/api/v1/nothing", 404, "404 page not found\n")]
    [InlineData("GET", "/api/v1/label/a/b/values", 404, "404 page not found\n")]
    [InlineData("DELETE", "/api/v1/query", 405, "Method Not Allowed\n")]
    [InlineData("GET", "/api/v1/write", 405, "Method Not Allowed\n")]
    [InlineData("POST", "/api/v1/metadata", 405, "Method Not Allowed\n")]
    [InlineData("OPTIONS", "/api/v1/query", 204, "")]
    public async Task UnknownPathsAndMethodsAreRefused(string method, string path, int status, string text)
    {
        await using var app = await GatewayApp.StartAsync();
        var (got, body) = await app.SendAsync(new HttpMethod(method), path, null);
        Assert.Equal((status, text), ((int)got, body));
    }

    [Fact]
    public async Task VectorsAreWrittenAsPrometheusWritesThem()
    {
        await using var app = await GatewayApp.StartAsync(execute: (_, _, _) => ValueTask.FromResult(GatewayApp.Result(
            ValueType.Vector, ("__name__=up,job=a<b", [(1435781451781, 1)]), ("x=y", [(1000, double.NaN)]), ("", [(1, double.PositiveInfinity)]))));
        var (status, body) = await app.GetAsync("/api/v1/query?query=up");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            """{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a<b"},"value":[1435781451.781,"1"]},{"metric":{"x":"y"},"value":[1,"NaN"]},{"metric":{},"value":[0.001,"+Inf"]}]}}""",
            body);
    }

    [Fact]
    public async Task MatricesScalarsAndStringsAreWrittenAsPrometheusWritesThem()
    {
        var queue = new Queue<QueryResult>([
            GatewayApp.Result(ValueType.Matrix, ("a=b", [(1000, 1), (2500, -0.5)])),
            GatewayApp.Result(ValueType.Matrix),
            GatewayApp.Result(ValueType.Scalar, ("", [(1500, 3)])),
            new QueryResult { Type = ValueType.String, Series = [], Text = "hi \"you\"", TimeMs = 1500 },
        ]);
        await using var app = await GatewayApp.StartAsync(execute: (_, _, _) => ValueTask.FromResult(queue.Dequeue()));
        string[] want =
        [
            """{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"1"],[2.500,"-0.5"]]}]}""",
            """{"resultType":"matrix","result":[]}""",
            """{"resultType":"scalar","result":[1.5,"3"]}""",
            """{"resultType":"string","result":[1.5,"hi \"you\""]}""",
        ];
        foreach (var data in want)
        {
            Assert.Equal($$"""{"status":"success","data":{{data}}}""", (await app.GetAsync("/api/v1/query?query=x")).Body);
        }
    }

    [Fact]
    public async Task ParametersReachTheEngine()
    {
        QueryRequest? seen = null;
        await using var app = await GatewayApp.StartAsync(execute: (request, _, _) =>
        {
            seen = request;
            return ValueTask.FromResult(GatewayApp.Result(ValueType.Matrix));
        });
        await app.GetAsync("/api/v1/query_range?query=up&start=2015-07-01T20:10:30.781Z&end=1435781460&step=15s&lookback_delta=1m&limit=7");
        Assert.Equal(new QueryRequest("up", new TimeGrid(1435781430781, 1435781460000, 15000), true) { LookbackMs = 60000, Limit = 7, Tenant = TenantId.Parse("default") }, seen! with { Expression = null });

        // The front end had to look at it, and the engine need not parse it again.
        Assert.Equal("up", PromQL.Parsing.Printer.Print(seen.Expression!));
        await app.PostFormAsync("/api/v1/query?query=ignored&time=5", "query=sum(up)");
        Assert.Equal(new QueryRequest("sum(up)", TimeGrid.Instant(5000), false) { Tenant = TenantId.Parse("default") }, seen with { Expression = null });
    }

    [Theory]
    [InlineData(QueryErrorKind.Execution, 422, "execution")]
    [InlineData(QueryErrorKind.Timeout, 503, "timeout")]
    [InlineData(QueryErrorKind.Unavailable, 503, "unavailable")]
    [InlineData(QueryErrorKind.BadData, 400, "bad_data")]
    [InlineData(QueryErrorKind.Internal, 500, "internal")]
    public async Task FailuresOfTheEngineKeepTheirKind(QueryErrorKind kind, int status, string type)
    {
        await using var app = await GatewayApp.StartAsync(execute: (_, _, _) => throw new QueryException(kind, "a < b"));
        var (got, body) = await app.GetAsync("/api/v1/query?query=up");
        Assert.Equal(status, (int)got);
        Assert.Equal($$"""{"status":"error","errorType":"{{type}}","error":"a \u003c b"}""", body);
    }

    [Fact]
    public async Task AQueryThatTakesTooLongTimesOut()
    {
        await using var app = await GatewayApp.StartAsync(execute: NeverAsync);
        var (status, body) = await app.GetAsync("/api/v1/query?query=up&timeout=1ms");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal("""{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}""", body);
    }

    [Fact]
    public async Task AQueryThatWaitsTooLongForItsTurnTimesOutAndTooManyAreTurnedAway()
    {
        var isRunning = new TaskCompletionSource();
        await using var app = await GatewayApp.StartAsync(
            options => (options.Query.MaxConcurrency, options.Query.MaxQueued) = (1, 0),
            async (_, _, cancellation) =>
            {
                isRunning.TrySetResult();
                return await NeverAsync(null!, [], cancellation);
            });
        using var leave = new CancellationTokenSource();
        var first = app.Http.GetAsync("/api/v1/query?query=up", leave.Token);
        await isRunning.Task;
        var (status, body) = await app.GetAsync("/api/v1/query?query=up&timeout=1ms");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("too many queries", body);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
    }

    [Fact]
    public async Task AClientThatLeavesCancelsItsQuery()
    {
        var isRunning = new TaskCompletionSource();
        var isCancelled = new TaskCompletionSource();
        await using var app = await GatewayApp.StartAsync(execute: async (_, _, cancellation) =>
        {
            await using var registration = cancellation.Register(isCancelled.SetResult);
            isRunning.SetResult();
            return await NeverAsync(null!, [], cancellation);
        });
        using var leave = new CancellationTokenSource();
        var request = app.Http.GetAsync("/api/v1/query?query=up", leave.Token);
        await isRunning.Task;
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await isCancelled.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task RemarksAndStatsAreShown()
    {
        await using var app = await GatewayApp.StartAsync(execute: (_, _, _) => ValueTask.FromResult(new QueryResult
        {
            Type = ValueType.Vector,
            Series = [],
            Infos = ["i"],
            Warnings = [.. Enumerable.Range(0, 12).Select(i => $"w{i}")],
            Statistics = new QueryStatistics { TotalQueryableSamples = 5, PeakSamples = 3 },
        }));
        var (_, body) = await app.GetAsync("/api/v1/query?query=up&stats=true");
        Assert.Contains(""","samples":{"totalQueryableSamples":5,"samplesRead":0,"peakSamples":3}}},"warnings":["w0","w1","w2","w3","w4","w5","w6","w7","w8","w9","2 more warning annotations omitted"],"infos":["i"]}""", body);
        Assert.Contains("""{"status":"success","data":{"resultType":"vector","result":[],"stats":{"timings":{"evalTotalTime":""", body);
    }

    [Fact]
    public async Task AnswersAreCompressedWhenAsked()
    {
        await using var app = await GatewayApp.StartAsync(execute: (_, _, _) => ValueTask.FromResult(
            GatewayApp.Result(ValueType.Vector, [.. Enumerable.Range(0, 5000).Select(i => ($"i={i}", new[] { (1000L, (double)i) }))])));
        var plain = (await app.GetAsync("/api/v1/query?query=up")).Body;
        using var response = await app.AskAsync(HttpMethod.Get, "/api/v1/query?query=up", null, ("Accept-Encoding", "deflate, gzip;q=0.9"));
        Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
        await using var unzipped = new GZipStream(await response.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        Assert.Equal(plain, await new StreamReader(unzipped).ReadToEndAsync());
        using var refused = await app.AskAsync(HttpMethod.Get, "/api/v1/query?query=up", null, ("Accept-Encoding", "gzip;q=0"));
        Assert.Empty(refused.Content.Headers.ContentEncoding);
    }

    [Fact]
    public async Task LabelsOfAllShardsAreMergedSortedAndLimited()
    {
        await using var app = await GatewayApp.StartAsync();
        await app.WriteAsync(WriteMessage.Of([.. Enumerable.Range(0, 9).Select(i => WriteMessage.Series($"__name__=up,i={i}", (1000, 1)))]));
        Assert.Equal("""{"status":"success","data":["__name__","i"]}""", (await app.GetAsync("/api/v1/labels")).Body);
        Assert.Equal("""{"status":"success","data":["0","1","2","3","4","5","6","7","8"]}""", (await app.GetAsync("/api/v1/label/i/values")).Body);
        Assert.Equal("""{"status":"success","data":["0","1"],"warnings":["results truncated due to limit"]}""", (await app.GetAsync("/api/v1/label/i/values?limit=2")).Body);
        Assert.Equal("""{"status":"success","data":["up"]}""", (await app.GetAsync("/api/v1/label/U______name____/values")).Body);
        Assert.Equal("""{"status":"success","data":[]}""", (await app.GetAsync("/api/v1/label/none/values")).Body);
        Assert.Equal("""{"status":"success","data":[]}""", (await app.GetAsync("/api/v1/labels", ("X-Scope-OrgID", "other"))).Body);
    }

    [Fact]
    public async Task MetadataThatSendersDeclareIsShown()
    {
        await using var app = await GatewayApp.StartAsync();
        await app.WriteAsync([.. WriteMessage.Metadata(1, "b_total", "Help & more", "bytes"), .. WriteMessage.Metadata(2, "a", "", "")]);
        const string a = "\"a\":[{\"type\":\"gauge\",\"unit\":\"\",\"help\":\"\"}]";
        const string b = "\"b_total\":[{\"type\":\"counter\",\"unit\":\"bytes\",\"help\":\"Help \\u0026 more\"}]";
        Assert.Equal("{\"status\":\"success\",\"data\":{" + a + "," + b + "}}", (await app.GetAsync("/api/v1/metadata")).Body);
        Assert.Equal("{\"status\":\"success\",\"data\":{" + b + "}}", (await app.GetAsync("/api/v1/metadata?metric=b_total")).Body);
        Assert.Equal("{\"status\":\"success\",\"data\":{" + a + "}}", (await app.GetAsync("/api/v1/metadata?limit=1")).Body);
        Assert.Equal("""{"status":"success","data":{}}""", (await app.GetAsync("/api/v1/metadata", ("THANOS-TENANT", "other"))).Body);
    }

    [Fact]
    public async Task StatusPagesHaveTheShapesOfPrometheus()
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.StartsWith("""{"status":"success","data":{"version":"3.""", (await app.GetAsync("/api/v1/status/buildinfo")).Body);
        Assert.Contains("\"http-listen\":\"127.0.0.1:0\"", (await app.GetAsync("/api/v1/status/flags")).Body);
        Assert.StartsWith("""{"status":"success","data":{"yaml":"http:\n  listen: 127.0.0.1:0\n""", (await app.GetAsync("/api/v1/status/config")).Body);
        Assert.StartsWith("""{"status":"success","data":{"startTime":"20""", (await app.GetAsync("/api/v1/status/runtimeinfo")).Body);
        Assert.Equal("""{"status":"success","data":{"min":0,"max":0,"current":0,"state":"done"}}""", (await app.GetAsync("/api/v1/status/walreplay")).Body);
    }

    [Fact]
    public async Task WhileLogsAreReplayedOnlyHealthAndStatusAnswer()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.Progress = new ReplayProgress(false, 10, 40, 1, 4);
        const string progress = "replaying logs: 1 of 4 shards, 10 of 40 bytes";
        Assert.Equal((HttpStatusCode.OK, "Metrics is Healthy.\n"), await app.GetAsync("/-/healthy"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, $"Service Unavailable: {progress}\n"), await app.GetAsync("/-/ready"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, $"Service Unavailable: {progress}\n"), await app.GetAsync("/ready"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, $$"""{"status":"error","errorType":"unavailable","error":"{{progress}}"}"""), await app.GetAsync("/api/v1/query?query=up"));
        Assert.Equal("""{"status":"success","data":{"min":0,"max":4,"current":1,"state":"in progress"}}""", (await app.GetAsync("/api/v1/status/walreplay")).Body);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, progress + "\n"), await app.WriteAsync(WriteMessage.Of()));
        app.Cluster.Progress = app.Cluster.Progress with { IsReady = true };
        Assert.Equal((HttpStatusCode.OK, "Metrics is Ready.\n"), await app.GetAsync("/-/ready"));
    }

    [Fact]
    public async Task MetricsAboutItselfAreWellFormedAndCount()
    {
        await using var app = await GatewayApp.StartAsync();
        await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up", (1000, 1))), ("X-Scope-OrgID", "a"));
        await app.GetAsync("/nothing");
        var (_, text) = await app.GetAsync("/metrics");
        Assert.Contains("metrics_write_samples_total{tenant=\"a\"} 1\n", text);
        Assert.Contains("metrics_http_requests_total{handler=\"write\",code=\"204\"} 1\n", text);
        Assert.Contains("metrics_http_requests_total{handler=\"none\",code=\"404\"} 1\n", text);
        Assert.Contains("metrics_head_series{tenant=\"a\"} 1\n", text);
        Assert.Contains("\nprocess_cpu_seconds_total ", text);
        Assert.All(text.TrimEnd('\n').Split('\n'), line => Assert.Matches("""^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [-+0-9.eE]+|.+ \+Inf)$""", line));
    }

    [Fact]
    public async Task ThePrefixServesEveryRouteToo()
    {
        await using var app = await GatewayApp.StartAsync(options => options.Http.RoutePrefix = "/prometheus");
        Assert.Equal((await app.GetAsync("/api/v1/labels")).Body, (await app.GetAsync("/prometheus/api/v1/labels")).Body);
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/prometheus/api/v1/label/a/values")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await app.GetAsync("/prometheusapi/v1/labels")).Status);
    }

    [Fact]
    public async Task AFormBeyondTheLimitsIsRefused()
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, body) = await app.PostFormAsync("/api/v1/series", string.Join('&', Enumerable.Repeat("match[]=a", 20_000)));
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.StartsWith("""{"status":"error","errorType":"bad_data","error":"error parsing form values: """, body);
    }

    [Fact]
    public async Task TheFirstPageSaysHowToUseIt()
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, page) = await app.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains($"http://{app.Http.BaseAddress!.Authority}/api/v1/write", page);
    }

    private static async ValueTask<QueryResult> NeverAsync(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation)
    {
        await Task.Delay(Timeout.Infinite, cancellation);
        return GatewayApp.Result(ValueType.Vector);
    }
}
