using System.Globalization;
using Metrics.Gateway.Configuration;
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
