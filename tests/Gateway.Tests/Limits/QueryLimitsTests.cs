using System.Text;
using Metrics.Wire;
using Xunit;

namespace Metrics.Gateway.Tests;

public class QueryLimitsTests
{
    private const string Limit3 = "max_fetched_series_per_query: 3";

    [Theory]
    [InlineData(Limit3, "query?query=count(m)", "the query reads more series than the limit max_fetched_series_per_query of 3 of tenant a (err-mimir-max-series-per-query): narrow its selectors or its time")]
    [InlineData("max_fetched_chunk_bytes_per_query: 100", "query?query=count(m)", "the query reads more bytes than the limit max_fetched_chunk_bytes_per_query of 100 of tenant a (err-mimir-max-chunks-bytes-per-query): narrow its selectors or its time")]
    [InlineData("max_samples_per_query: 5", "query?query=m", "query processing would load too many samples into memory in query execution: limit max_samples_per_query of 5 of tenant a")]
    [InlineData("max_fetched_chunks_per_query: 3", "query?query=count(m)", "the query reads more chunks than the limit max_fetched_chunks_per_query of 3 of tenant a (err-mimir-max-chunks-per-query): narrow its selectors or its time")]
    [InlineData(Limit3, "query?query=count(m)&replicaLabels[]=i", "the query reads more series than the limit max_fetched_series_per_query of 3 of tenant a (err-mimir-max-series-per-query): narrow its selectors or its time")]
    [InlineData("max_fetched_chunk_bytes_per_query: 100", "query?query=count(m)&replicaLabels[]=i", "the query reads more bytes than the limit max_fetched_chunk_bytes_per_query of 100 of tenant a (err-mimir-max-chunks-bytes-per-query): narrow its selectors or its time")]
    [InlineData("max_samples_per_query: 5", "query?query=m&replicaLabels[]=i", "query processing would load too many samples into memory in query execution: limit max_samples_per_query of 5 of tenant a")]
    [InlineData("max_fetched_chunks_per_query: 3", "query?query=count(m)&replicaLabels[]=i", "the query reads more chunks than the limit max_fetched_chunks_per_query of 3 of tenant a (err-mimir-max-chunks-per-query): narrow its selectors or its time")]
    [InlineData("max_total_query_length: 1h", "query_range?query=m&start=0&end=3601&step=60", "the query's time range of 3601s exceeds the limit max_total_query_length of 1h of tenant a (err-mimir-max-total-query-length)")]
    [InlineData("max_query_expression_size_bytes: 8", "query?query=count(m%2Bm)", "the query's text of 10 bytes exceeds the limit max_query_expression_size_bytes of 8B of tenant a (err-mimir-max-query-expression-size-bytes)")]
    [InlineData("blocked_queries: [{pattern: 'count(m)', reason: 'too dear'}]", "query?query=count(  m)", "the query is blocked for tenant a by blocked_queries (err-mimir-query-blocked), reason: too dear")]
    [InlineData("blocked_queries: [{pattern: '.*m.*', regex: true}]", "query?query=sum(rate(m[5m]))", "the query is blocked for tenant a by blocked_queries (err-mimir-query-blocked)")]
    [InlineData("blocked_queries: [{time_range_longer_than: 1h}]", "query_range?query=m&start=0&end=3601&step=60", "the query is blocked for tenant a by blocked_queries (err-mimir-query-blocked)")]
    [InlineData("blocked_queries: [{step_size_shorter_than: 1m}]", "query_range?query=m&start=0&end=3600&step=59", "the query is blocked for tenant a by blocked_queries (err-mimir-query-blocked)")]
    [InlineData("blocked_queries: [{unaligned_range_queries: true}]", "query_range?query=m&start=1&end=3600&step=60", "the query is blocked for tenant a by blocked_queries (err-mimir-query-blocked)")]
    public async Task AQueryOverALimitIsRefusedWithItsNameAndValueAndOthersAreNot(string limit, string query, string error)
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, $"overrides:\n  a:\n    {limit}\n"));
        string[] series = [.. Enumerable.Range(0, 20).Select(i => $"__name__=m,i={i}"), "__name__=n"];
        Assert.Equal(204, (await app.WriteAsync("a", series)).Code);
        Assert.Equal(204, (await app.WriteAsync("b", series)).Code);
        var refused = await app.GetAsync("/api/v1/" + query, ("X-Scope-OrgID", "a"));
        Assert.Equal((422, $$"""{"status":"error","errorType":"execution","error":"{{error}}"}"""), (refused.Code, refused.Body));
        Assert.Equal(200, (await app.GetAsync("/api/v1/" + query, ("X-Scope-OrgID", "b"))).Code);
        Assert.Equal(200, (await app.GetAsync("/api/v1/query?query=n", ("X-Scope-OrgID", "a"))).Code);

        // Who reads both has the limits of both.
        Assert.Equal(422, (await app.GetAsync("/api/v1/" + query, ("X-Scope-OrgID", "a|b"))).Code);
    }

    [Theory]
    [InlineData("a", 5000)]
    [InlineData("a|b", 2000)]
    [InlineData("a|b|c", 1000)]
    [InlineData("b|d", 2000)]
    public async Task WhoReadsSeveralHasTheStrictestOfTheirLimitsAndNoStricterOnes(string tenants, int limit)
    {
        await using var app = await RealGateway.StartAsync((o, folder) =>
        {
            o.Limits.MaxFetchedSeriesPerQuery = 1000;
            IngestLimitsTests.Overrides(o, folder, "overrides:\n  a: {max_fetched_series_per_query: 5000}\n  b: {max_fetched_series_per_query: 2000}\n  d: {max_fetched_series_per_query: 0}\n");
        });
        Assert.Contains($"\"max_fetched_series_per_query\":{limit},", (await app.GetAsync("/api/v1/user_limits", ("X-Scope-OrgID", tenants))).Body);
    }

    [Fact]
    public async Task SamplesThatQueriesLookAtAreCountedByTenant()
    {
        await using var app = await RealGateway.StartAsync();
        foreach (var tenant in new[] { "a", "b" })
        {
            Assert.Equal(204, (await app.WriteAsync(tenant, "__name__=m,i=1", "__name__=m,i=2")).Code);
        }

        Assert.Equal(200, (await app.GetAsync("/api/v1/query?query=m", ("X-Scope-OrgID", "a"))).Code);
        var counted = (await app.GetAsync("/metrics")).Body;
        Assert.Contains("metrics_query_samples_total{tenant=\"a\"} 2\n", counted);
        Assert.DoesNotContain("metrics_query_samples_total{tenant=\"b\"}", counted);
    }

    [Theory]
    [InlineData(Limit3, "series?match[]=m")]
    [InlineData(Limit3, "cardinality/active_series?selector=m")]
    [InlineData(Limit3, "/federate?match[]=m")]
    [InlineData("max_fetched_chunk_bytes_per_query: 100", "/federate?match[]=m")]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", "series?match[]=m")]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", "labels?match[]=m")]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", "label/i/values?match[]=m")]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", "query_exemplars?query=sum(m)")]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", "search/label_values?label=i&match[]=m")]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", "cardinality/label_names?selector=m")]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", "/federate?match[]=m")]
    public async Task WhatReadsAndIsNoQueryHasTheLimitsOfQueries(string limit, string path)
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, $"overrides:\n  a:\n    {limit}\n"));
        string[] series = [.. Enumerable.Range(0, 20).Select(i => $"__name__=m,i={i}"), "__name__=n"];
        Assert.Equal(204, (await app.WriteAsync("a", series)).Code);
        Assert.Equal(204, (await app.WriteAsync("b", series)).Code);
        path = path[0] == '/' ? path : "/api/v1/" + path;

        var refused = await app.GetAsync(path, ("X-Scope-OrgID", "a"));

        Assert.Equal(422, refused.Code);
        Assert.Contains(limit.Split(':')[0], refused.Body, StringComparison.Ordinal);
        Assert.Contains("of tenant a", refused.Body.Replace("for tenant a", "of tenant a", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(200, (await app.GetAsync(path, ("X-Scope-OrgID", "b"))).Code);
        Assert.Equal(200, (await app.GetAsync(path.Replace("=m", "=n", StringComparison.Ordinal).Replace("(m)", "(n)", StringComparison.Ordinal), ("X-Scope-OrgID", "a"))).Code);
    }

    [Theory]
    [InlineData(Limit3, false, 422)]
    [InlineData("max_fetched_chunk_bytes_per_query: 100", false, 422)]
    [InlineData("max_samples_per_query: 5", false, 422)]
    [InlineData("max_samples_per_query: 5", true, 200)]
    [InlineData("blocked_queries: [{pattern: '{__name__=\"m\"}'}]", true, 422)]
    public async Task ARemoteReadHasTheLimitsOfQueriesAndIsCountedAsOne(string limit, bool isStream, int status)
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, $"overrides:\n  a:\n    {limit}\n"));
        foreach (var tenant in new[] { "a", "b" })
        {
            Assert.Equal(204, (await app.WriteAsync(tenant, [.. Enumerable.Range(0, 20).Select(i => $"__name__=m,i={i}")])).Code);
        }

        Task<RealGateway.Answer> ReadAsync(string tenant) => app.SendAsync(HttpMethod.Post, "/api/v1/read", RealGateway.Body(ReadMessage("m", isStream)), ("X-Scope-OrgID", tenant));
        var read = await ReadAsync("a");
        Assert.Equal(status, read.Code);
        Assert.True(status == 200 || read.Body.Contains(limit.Split(':')[0], StringComparison.Ordinal), read.Body);
        Assert.Equal(200, (await ReadAsync("b")).Code);
        var stats = (await app.GetAsync("/api/v1/user_stats", ("X-Scope-OrgID", "b"))).Body;
        Assert.Contains("\"queries\":1,\"queriedSamples\":20}", stats, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AStreamThatMeetsALimitHalfWayIsCutOffAndNotEnded()
    {
        await using var app = await RealGateway.StartAsync(static (o, _) => o.Limits.MaxFetchedSeriesPerQuery = 3);
        Assert.Equal(204, (await app.WriteAsync("a", [.. Enumerable.Range(0, 20).Select(i => $"__name__=m,i={i}")])).Code);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => app.SendAsync(HttpMethod.Post, "/api/v1/read", RealGateway.Body(ReadMessage("m", isStream: true)), ("X-Scope-OrgID", "a")));
    }

    [Fact]
    public async Task WhatIsOlderThanTheLookbackIsNotThere()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    max_query_lookback: 1h\n"));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var tenant in new[] { "a", "b" })
        {
            Assert.Equal(204, (await app.WriteAsync([("X-Scope-OrgID", tenant)], now - (7200 * 1000), "__name__=old")).Code);
            Assert.Equal(204, (await app.WriteAsync([("X-Scope-OrgID", tenant)], now - (1800 * 1000), "__name__=old")).Code);
            Assert.Equal(204, (await app.WriteAsync([("X-Scope-OrgID", tenant)], now - (7200 * 1000), "__name__=gone,x=y")).Code);
        }

        async Task<string> Ask(string tenant, string path) => (await app.GetAsync("/api/v1/" + path, ("X-Scope-OrgID", tenant))).Body;
        Assert.Contains("\"1\"]", await Ask("a", "query?query=count_over_time(old[3h])"));
        Assert.Contains("\"2\"]", await Ask("b", "query?query=count_over_time(old[3h])"));
        Assert.DoesNotContain("gone", await Ask("a", "query?query=last_over_time({__name__=\"gone\"}[3h])"));
        Assert.Contains("gone", await Ask("b", "query?query=last_over_time({__name__=\"gone\"}[3h])"));
    }

    [Fact]
    public async Task BytesOfChunksAreThoseThatAreStored()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    max_fetched_chunk_bytes_per_query: 1000\n"));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var samples = Enumerable.Range(0, 100).Select(i => (now - 1_500_000 + (15_000L * i), 1.0)).ToArray();
        var body = WriteMessage.Of(WriteMessage.Series("__name__=m", samples));
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body(body), ("X-Scope-OrgID", "a"))).Code);

        // In memory a hundred floats are 1600 bytes; encoded, those that repeat are hardly anything.
        Assert.Contains("\"100\"]", (await app.GetAsync("/api/v1/query?query=count_over_time(m[1h])", ("X-Scope-OrgID", "a"))).Body);
        var other = WriteMessage.Of([.. Enumerable.Range(0, 60).Select(i => WriteMessage.Series($"__name__=n,i={i}", (now, Math.Sqrt(i))))]);
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body(other), ("X-Scope-OrgID", "a"))).Code);
        Assert.Equal(422, (await app.GetAsync("/api/v1/query?query=count(n)", ("X-Scope-OrgID", "a"))).Code);
    }

    [Fact]
    public async Task BlockedQueriesAreCounted()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    blocked_queries: [{pattern: m}]\n"));
        await app.GetAsync("/api/v1/query?query=m", ("X-Scope-OrgID", "a"));
        Assert.Contains("metrics_queries_blocked_total{tenant=\"a\"} 1", (await app.GetAsync("/metrics")).Body);
    }

    /// <summary><c>ReadRequest { repeated Query queries = 1; repeated ResponseType accepted_response_types = 2; }</c> for all samples of a metric.</summary>
    internal static byte[] ReadMessage(string metric, bool isStream)
    {
        using var message = new ProtobufWriter();
        var query = message.Begin(1);
        message.Varint64(1, 0);
        message.Varint64(2, long.MaxValue);
        var matcher = message.Begin(3);
        message.Varint64(1, 0);
        message.Bytes(2, "__name__"u8);
        message.Bytes(3, Encoding.UTF8.GetBytes(metric));
        message.End(matcher);
        message.End(query);
        if (isStream)
        {
            message.Varint64(2, 1);
        }

        return message.Written.ToArray();
    }
}
