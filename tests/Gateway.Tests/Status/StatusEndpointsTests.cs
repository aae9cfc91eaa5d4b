using System.Net;
using System.Text.Json;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests.Status;

/// <summary>What operators and tools ask beside the data: blocks, metrics of the process, queries of the past, lag, notifications.</summary>
public sealed class StatusEndpointsTests
{
    [Fact]
    public async Task BlocksAreListedAndTheirBytesCounted()
    {
        await using var app = await RealGateway.StartAsync();
        (string, string) a = ("X-Scope-OrgID", "a");
        Assert.Equal("""{"status":"success","data":{"blocks":[]}}""", (await app.GetAsync("/api/v1/status/tsdb/blocks", a)).Body);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        Assert.Equal(204, (await app.WriteAsync([a], now, [.. Enumerable.Range(0, 50).Select(i => $"__name__=m,i={i}")])).Code);
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/ingester/flush?tenant=a&wait=true", null)).Code);
        var blocks = Data(await app.GetAsync("/api/v1/status/tsdb/blocks", a)).GetProperty("blocks").EnumerateArray().ToList();
        Assert.NotEmpty(blocks);
        Assert.Equal(50, blocks.Sum(b => b.GetProperty("stats").GetProperty("numSamples").GetInt64()));
        Assert.All(blocks, b => Assert.True(b.GetProperty("minTime").GetInt64() <= now && now < b.GetProperty("maxTime").GetInt64() && b.GetProperty("ulid").GetString()!.Length == 26 && b.GetProperty("compaction").GetProperty("level").GetInt32() >= 1 && b.GetProperty("version").GetInt32() == 1));
        Assert.Equal("""{"status":"success","data":{"blocks":[]}}""", (await app.GetAsync("/api/v1/status/tsdb/blocks", ("X-Scope-OrgID", "b"))).Body);

        var stats = JsonDocument.Parse((await app.GetAsync("/api/v1/user_stats", a)).Body).RootElement;
        Assert.Equal(blocks.Count, stats.GetProperty("numBlocks").GetInt32());

        // A block may lie in the shard's folder and in the store's: each of its files counts once.
        var stored = blocks.Select(b => b.GetProperty("ulid").GetString()!).Sum(ulid => Directory.EnumerateFiles(app.Folder, "*", SearchOption.AllDirectories)
            .Where(f => f.Contains(ulid, StringComparison.Ordinal)).GroupBy(f => f[f.IndexOf(ulid, StringComparison.Ordinal)..]).Sum(f => new FileInfo(f.First()).Length));
        Assert.Equal(stored, stats.GetProperty("storedBytes").GetInt64());
        Assert.Contains($"metrics_block_bytes{{tenant=\"a\"}} {stats.GetProperty("storedBytes")}\n", (await app.GetAsync("/metrics")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LagIsTheAgeOfTheNewestSampleBeforeAndAfterItIsInABlock()
    {
        await using var app = await RealGateway.StartAsync();
        (string, string) both = ("X-Scope-OrgID", "a|b");
        var then = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 600_000;
        Assert.Equal(204, (await app.WriteAsync([("X-Scope-OrgID", "a")], then, "__name__=m,i=1")).Code);
        for (var round = 0; round < 2; round++)
        {
            var tenants = JsonDocument.Parse((await app.GetAsync("/api/v1/user_lag", both)).Body).RootElement.GetProperty("tenants").EnumerateArray().ToList();
            Assert.Equal(["a", "b"], tenants.Select(t => t.GetProperty("userID").GetString()));
            Assert.Equal(then / 1000m, tenants[0].GetProperty("newestSampleTimestamp").GetDecimal());
            Assert.InRange(tenants[0].GetProperty("lagSeconds").GetDecimal(), 600, 700);
            Assert.False(tenants[1].TryGetProperty("lagSeconds", out _));
            Assert.Matches($"metrics_newest_sample_timestamp_seconds\\{{tenant=\"a\"\\}} {then / 1000.0}\n", (await app.GetAsync("/metrics")).Body);
            Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/ingester/flush?tenant=a&wait=true", null)).Code);
        }
    }

    [Fact]
    public async Task SelfMetricsAreTheExpositionAsProtobufsJson()
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync("q\"uoted".Replace("\"", "'", StringComparison.Ordinal), "__name__=m")).Code);
        await app.GetAsync("/api/v1/query?query=m");
        var all = Data(await app.GetAsync("/api/v1/status/self_metrics")).EnumerateArray().ToList();
        var exposed = (await app.GetAsync("/metrics")).Body;
        foreach (var family in all)
        {
            Assert.Contains($"# TYPE {family.GetProperty("name")} {family.GetProperty("type").GetString()!.ToLowerInvariant()}\n", exposed, StringComparison.Ordinal);
            Assert.NotEmpty(family.GetProperty("metric").EnumerateArray());
        }

        var written = all.Single(f => f.GetProperty("name").GetString() == "metrics_write_samples_total").GetProperty("metric")[0];
        Assert.Equal("""{"label":[{"name":"tenant","value":"q'uoted"}],"counter":{"value":1}}""", written.GetRawText().Replace("\\u0027", "'", StringComparison.Ordinal));
        var durations = all.Single(f => f.GetProperty("name").GetString() == "metrics_query_duration_seconds").GetProperty("metric")[0].GetProperty("histogram");
        Assert.Equal("1", durations.GetProperty("sampleCount").GetString());
        Assert.Equal(("Infinity", "1"), (durations.GetProperty("bucket").EnumerateArray().Last().GetProperty("upperBound").GetString(), durations.GetProperty("bucket").EnumerateArray().Last().GetProperty("cumulativeCount").GetString()));

        var some = Data(await app.GetAsync("/api/v1/status/self_metrics?metric_name_pattern=metrics_write_.*bytes")).EnumerateArray().Select(f => f.GetProperty("name").GetString());
        Assert.Equal(["metrics_write_inflight_bytes"], some);
        Assert.Equal(400, (await app.GetAsync("/api/v1/status/self_metrics?metric_name_pattern=(")).Code);
    }

    [Fact]
    public async Task NotificationsStayOpenUntilTheClientGoesOrTheServerStops()
    {
        var app = await RealGateway.StartAsync();
        var streams = new List<HttpResponseMessage>();
        for (var i = 0; i < LiveNotifications.StreamsMax; i++)
        {
            var stream = await app.Http.GetAsync(new Uri("/api/v1/notifications/live", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (stream.StatusCode, stream.Content.Headers.ContentType?.MediaType));
            streams.Add(stream);
        }

        Assert.Equal(204, (await app.GetAsync("/api/v1/notifications/live")).Code);
        streams[0].Dispose();
        HttpStatusCode again;
        do
        {
            using var next = await app.Http.GetAsync(new Uri("/api/v1/notifications/live", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
            again = next.StatusCode;
        }
        while (again == HttpStatusCode.NoContent);

        Assert.Equal(HttpStatusCode.OK, again);
        var rest = streams[1].Content.ReadAsStringAsync();
        Assert.False(rest.IsCompleted);
        await app.DisposeAsync();
        Assert.Equal("", await rest);
    }

    [Fact]
    public async Task TopQueriesAreThoseOfTheTenantInVictoriaMetricsShape()
    {
        await using var app = await RealGateway.StartAsync();
        (string, string) a = ("X-Scope-OrgID", "a");
        Assert.Equal(204, (await app.WriteAsync("a", [.. Enumerable.Range(0, 3000).Select(i => $"__name__=m,i={i}")])).Code);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await app.GetAsync($"/api/v1/query_range?query=sort(m)&start=0&end={3600 + i}&step={1200 + i}", a)).Code);
        }

        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(200, (await app.GetAsync($"/api/v1/query_range?query=quantile(0.{i},m)&start=0&end=3600&step=1000", a)).Code);
        }

        // What takes less than a millisecond is not remembered.
        var top = JsonDocument.Parse((await app.GetAsync("/api/v1/status/top_queries?topN=2&maxLifetime=1h", a)).Body).RootElement;
        Assert.Equal(("ok", "2", "1h"), (top.GetProperty("status").GetString(), top.GetProperty("topN").GetString(), top.GetProperty("maxLifetime").GetString()));
        foreach (var (list, field) in new[] { ("topByCount", ""), ("topByAvgDuration", "avgDurationSeconds"), ("topBySumDuration", "sumDurationSeconds") })
        {
            var queries = top.GetProperty(list).EnumerateArray().ToList();
            Assert.InRange(queries.Count, 0, 2);
            Assert.All(queries, q => Assert.True(q.GetProperty("count").GetInt32() >= 1 && q.GetProperty("timeRangeSeconds").GetInt64() >= 3600 && q.GetProperty("query").GetString()!.Contains('m') && (field.Length == 0 || q.GetProperty(field).GetDouble() >= 0.001)));
        }

        Assert.Empty(JsonDocument.Parse((await app.GetAsync("/api/v1/status/top_queries", ("X-Scope-OrgID", "b"))).Body).RootElement.GetProperty("topByCount").EnumerateArray());
        Assert.Equal(400, (await app.GetAsync("/api/v1/status/top_queries?topN=0", a)).Code);
        Assert.Equal(400, (await app.GetAsync("/api/v1/status/top_queries?maxLifetime=x", a)).Code);
    }

    [Fact]
    public void QueriesOfThePastAreBoundedAndWhoAsksMuchForgetsItsOwn()
    {
        var history = new QueryHistory(TimeProvider.System);
        var (quiet, noisy) = (TenantId.Parse("quiet"), TenantId.Parse("noisy"));
        var took = TimeSpan.FromSeconds(1);
        history.Add(quiet, "up", 0, took);
        history.Add(quiet, "fast", 0, TimeSpan.FromTicks(1));
        for (var i = 0; i < QueryHistory.QueriesMax + 100; i++)
        {
            history.Add(noisy, $"m{i}", 60_000, took);
        }

        Assert.Equal(["up"], history.Since(quiet, default).Select(q => q.Query));
        Assert.Equal(QueryHistory.QueriesMax - 1, history.Since(noisy, default).Count);
        for (var i = 0; i < 2_000; i++)
        {
            history.Add(noisy, new string('x', 100_000), 0, took);
        }

        Assert.Equal(["up"], history.Since(quiet, default).Select(q => q.Query));
        Assert.True(history.Since(noisy, default).Sum(q => q.Bytes) <= QueryHistory.BytesMax);
        Assert.Empty(history.Since(noisy, TimeProvider.System.GetUtcNow().AddHours(1)));
    }

    private static JsonElement Data(RealGateway.Answer answer)
    {
        Assert.True(answer.Code == 200, answer.Body);
        return JsonDocument.Parse(answer.Body).RootElement.GetProperty("data");
    }
}
