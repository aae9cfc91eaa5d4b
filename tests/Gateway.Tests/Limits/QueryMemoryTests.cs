using System.Globalization;
using Metrics.Gateway.Configuration;
using Metrics.PromQL;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>The memory of queries, bounded through HTTP.</summary>
public sealed class QueryMemoryTests
{
    [Fact]
    public async Task BeyondTheServersBoundQueriesAreTurnedAwayAndNothingIsKept()
    {
        // 500 series at 601 steps are five megabytes.
        await using var app = await RealGateway.StartAsync((o, _) => o.Query.MaxInflightBytes = ByteSize.MiB(1));
        await WriteAsync(app);
        foreach (var query in new[] { "m", "m or m", "sort(m)", "quantile by (i) (0.5, m)" })
        {
            var refused = await app.GetAsync(Range(query), ("X-Scope-OrgID", "a"));
            Assert.Equal((503, true), (refused.Code, refused.Body.Contains("query.max_inflight_bytes", StringComparison.Ordinal)));
        }

        var merged = await app.GetAsync(Range("m") + "&replicaLabels[]=r", ("X-Scope-OrgID", "a"));
        Assert.True(merged.Code == 503, merged.Body[..Math.Min(500, merged.Body.Length)] + merged.Body.Length);
        Assert.Equal(503, (await app.GetAsync(Range("m") + "&partial_response=true", ("X-Scope-OrgID", "a"))).Code);
        Assert.Equal(200, (await app.GetAsync(Range("sum(m{i=\"7\"})"), ("X-Scope-OrgID", "a"))).Code);
        var metrics = (await app.GetAsync("/metrics")).Body;
        Assert.Contains("\nmetrics_query_inflight_bytes 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\nmetrics_query_inflight_max_bytes 1048576\n", metrics, StringComparison.Ordinal);
        Assert.Matches("\nmetrics_queries_out_of_memory_total [1-9]", metrics);
    }

    [Fact]
    public async Task ATenantsQueryIsHeldAgainstItsOwnLimit()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    max_estimated_memory_consumption_per_query: 1MiB\n"));
        await WriteAsync(app);
        var refused = await app.GetAsync(Range("m"), ("X-Scope-OrgID", "a"));
        Assert.Equal(422, refused.Code);
        Assert.Contains("the query holds more memory than the limit max_estimated_memory_consumption_per_query of 1048576 bytes of tenant a (err-mimir-max-estimated-memory-consumption-per-query)", refused.Body, StringComparison.Ordinal);
        Assert.Equal(200, (await app.GetAsync(Range("m{i=\"7\"}"), ("X-Scope-OrgID", "a"))).Code);
        Assert.Equal(200, (await app.GetAsync(Range("m"), ("X-Scope-OrgID", "b"))).Code);
        Assert.Contains("\nmetrics_query_inflight_bytes 0\n", (await app.GetAsync("/metrics")).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/v1/series?match[]=m")]
    [InlineData("/api/v1/labels?match[]=m")]
    [InlineData("/api/v1/label/i/values")]
    [InlineData("/api/v1/cardinality/active_series?selector=m")]
    [InlineData("/api/v1/search/label_values?label=i&limit=1")]
    public async Task LabelRequestsHoldAQuerysMemoryUntilTheyAreAnswered(string path)
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    max_estimated_memory_consumption_per_query: 100B\n"), engine: static e => e with { Memory = new QueryMemory(10_000, 1) });
        await WriteAsync(app);
        var full = app.Engine.Memory.Open(QueryBounds.None);
        Assert.ThrowsAny<QueryException>(() => full.Take(10_001));
        var refused = await app.GetAsync(path, ("X-Scope-OrgID", "b"));
        Assert.Equal((503, true), (refused.Code, refused.Body.Contains("query.max_inflight_bytes", StringComparison.Ordinal)));
        full.Dispose();
        Assert.Equal(200, (await app.GetAsync(path, ("X-Scope-OrgID", "nobody"))).Code);

        // 500 of anything are more than 10,000 bytes, and than 100, unless it is the names of two labels.
        var isSmall = path.Contains("labels", StringComparison.Ordinal);
        Assert.Equal(isSmall ? 200 : 503, (await app.GetAsync(path, ("X-Scope-OrgID", "b"))).Code);
        Assert.True((await app.GetAsync(path, ("X-Scope-OrgID", "a"))).Code is var code && (code == 422 || (code == 503 && !isSmall)), $"{code}"); // whichever is reached first
        Assert.Equal(0, app.Engine.Memory.Held);
    }

    [Fact]
    public async Task RemoteReadsHoldAQuerysMemoryAndAreHeldAgainstTheTenantsLimits()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    max_estimated_memory_consumption_per_query: 100B\n  b:\n    max_fetched_series_per_query: 3\n"));
        await WriteAsync(app);
        foreach (var (tenant, accepted, code, text) in new[]
        {
            ("a", 0, 422, "max_estimated_memory_consumption_per_query of 100 bytes of tenant a"), ("b", 0, 422, "max_fetched_series_per_query of 3 of tenant b"), ("nobody", 0, 200, ""),
        })
        {
            var answer = await app.SendAsync(HttpMethod.Post, "/api/v1/read", RealGateway.Body(ReadRequestOf("m")), ("X-Scope-OrgID", tenant));
            Assert.True(answer.Code == code && answer.Body.Contains(text, StringComparison.Ordinal), $"{tenant} {accepted}: {answer.Code} {answer.Body}");
        }

        Assert.Equal(0, app.Engine.Memory.Held);
    }

    /// <summary>A remote read of one metric, from the beginning of time to its end.</summary>
    private static byte[] ReadRequestOf(string metric)
    {
        byte[] matcher = [0x12, 8, .. "__name__"u8, 0x1a, (byte)metric.Length, .. System.Text.Encoding.UTF8.GetBytes(metric)];
        byte[] query = [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x1a, (byte)matcher.Length, .. matcher];
        return [0x0a, (byte)query.Length, .. query];
    }

    private static async Task WriteAsync(RealGateway app)
    {
        foreach (var tenant in new[] { "a", "b" })
        {
            Assert.Equal(204, (await app.WriteAsync(tenant, [.. Enumerable.Range(0, 500).Select(i => $"__name__=m,i={i}")])).Code);
        }
    }

    private static string Range(string query)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        return string.Create(CultureInfo.InvariantCulture, $"/api/v1/query_range?query={Uri.EscapeDataString(query)}&start={now}&end={now + 240}&step=0.4");
    }
}
