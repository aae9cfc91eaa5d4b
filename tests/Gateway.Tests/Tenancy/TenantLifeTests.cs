using System.Text.Json;
using Xunit;

namespace Metrics.Gateway.Tests;

public class TenantLifeTests
{
    [Fact]
    public async Task ADeletedTenantIsGoneAndItsNameIsFree()
    {
        await using var app = await RealGateway.StartAsync();
        (string, string) a = ("X-Scope-OrgID", "a"), b = ("X-Scope-OrgID", "b");
        foreach (var tenant in new[] { "a", "b" })
        {
            Assert.Equal(204, (await app.WriteAsync(tenant, "__name__=m,old=yes")).Code);
            Assert.Equal(202, (await app.SendAsync(HttpMethod.Post, "/config/v1/rules/n", new StringContent("name: g\nrules: [{record: r, expr: m}]"), ("X-Scope-OrgID", tenant))).Code);
        }

        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/ingester/flush?wait=true", null)).Code);
        Assert.Equal("""{"tenant_id":"a","blocks_deleted":false}""", (await app.GetAsync("/compactor/delete_tenant_status", a)).Body);
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/compactor/delete_tenant", null, a)).Code);
        while ((await app.GetAsync("/compactor/delete_tenant_status", a)).Body != """{"tenant_id":"a","blocks_deleted":true}""")
        {
            await Task.Yield();
        }

        Assert.DoesNotContain("old", (await app.GetAsync("/api/v1/series?match[]=m", a)).Body);
        Assert.Equal("""{"status":"success","data":{"groups":[]}}""", (await app.GetAsync("/api/v1/rules", a)).Body);
        Assert.False(Directory.Exists(Path.Combine(app.Folder, "data", "tenants", "a")));
        Assert.Empty(Directory.Exists(Path.Combine(app.Folder, "data", "bucket", "a")) ? Directory.GetFiles(Path.Combine(app.Folder, "data", "bucket", "a"), "*", SearchOption.AllDirectories) : []);
        Assert.Contains("old", (await app.GetAsync("/api/v1/series?match[]=m", b)).Body);
        Assert.Contains("\"name\":\"g\"", (await app.GetAsync("/api/v1/rules", b)).Body);

        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m,new=yes")).Code);
        var series = (await app.GetAsync("/api/v1/series?match[]=m", a)).Body;
        Assert.Contains("new", series);
        Assert.DoesNotContain("old", series);
    }

    [Fact]
    public async Task WhoForgetsToSayWhichTenantDeletesNone()
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync("default", "__name__=m")).Code);
        Assert.Equal(400, (await app.SendAsync(HttpMethod.Post, "/compactor/delete_tenant", null)).Code);
        Assert.Equal(400, (await app.SendAsync(HttpMethod.Post, "/compactor/delete_tenant", null, ("X-Scope-OrgID", "a|default"))).Code);
        Assert.Contains("\"m\"", (await app.GetAsync("/api/v1/label/__name__/values")).Body);
    }

    [Fact]
    public async Task WhatATenantMayUseAndUsesIsTold()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    max_global_series_per_user: 2\n    max_query_lookback: 1h30m\n    max_fetched_chunk_bytes_per_query: 1MiB\n"));
        (string, string) a = ("X-Scope-OrgID", "a");
        var limits = JsonDocument.Parse((await app.GetAsync("/api/v1/user_limits", a)).Body).RootElement;
        Assert.Equal((2, "1h30m", 1 << 20), (limits.GetProperty("max_global_series_per_user").GetInt32(), limits.GetProperty("max_query_lookback").GetString(), limits.GetProperty("max_fetched_chunk_bytes_per_query").GetInt32()));
        Assert.Equal(0, JsonDocument.Parse((await app.GetAsync("/api/v1/user_limits")).Body).RootElement.GetProperty("max_global_series_per_user").GetInt32());

        await app.WriteAsync("a", "__name__=m,i=1", "__name__=m,i=2", "__name__=m,i=3");
        await app.WriteAsync("b", "__name__=m");
        await app.GetAsync("/api/v1/query?query=m", a);
        var stats = JsonDocument.Parse((await app.GetAsync("/api/v1/user_stats", a)).Body).RootElement;
        Assert.Equal((2, 2, 1, 1, 1), (stats.GetProperty("numSeries").GetInt32(), stats.GetProperty("writtenSamples").GetInt32(), stats.GetProperty("refusedSamples").GetInt32(), stats.GetProperty("writes").GetInt32(), stats.GetProperty("queries").GetInt32()));
        Assert.Equal(2, stats.GetProperty("queriedSamples").GetInt32());
        Assert.InRange(stats.GetProperty("ingestionRate").GetDouble(), 0.01, 2);
        var all = JsonDocument.Parse((await app.GetAsync("/distributor/all_user_stats")).Body).RootElement;
        Assert.Equal(["a", "b"], all.EnumerateArray().Select(t => t.GetProperty("userID").GetString()));
        Assert.Equal([2, 1], all.EnumerateArray().Select(t => t.GetProperty("numSeries").GetInt32()));
    }
}
