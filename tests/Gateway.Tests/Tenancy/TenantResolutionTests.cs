using System.Text.Json;
using System.Text.RegularExpressions;
using Metrics.Cluster;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests;

public class TenantResolutionTests
{
    [Theory]
    [InlineData("X-Scope-OrgID")]
    [InlineData("THANOS-TENANT")]
    [InlineData("X-Cluster")]
    public async Task ATenantIsNamedByAnyOfTheHeaders(string header)
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.Header = "X-Cluster");
        Assert.Equal(204, (await app.WriteAsync([(header, "a")], null, "__name__=m,of=a")).Code);
        Assert.Equal(204, (await app.WriteAsync([], null, "__name__=m,of=default")).Code);
        Assert.Contains("\"of\":\"a\"", await Series(app, (header, "a")));
        Assert.DoesNotContain("\"of\":\"a\"", await Series(app));
        Assert.Contains("\"of\":\"default\"", await Series(app, (header, "default")));
        Assert.Equal(400, (await app.GetAsync("/api/v1/labels", ("X-Scope-OrgID", "a"), ("THANOS-TENANT", "b"))).Code);
    }

    [Fact]
    public async Task ATenantIsNamedByThePathWhenThatIsOn()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.FromPath = true);
        var body = RealGateway.Body(WriteMessage.Of(WriteMessage.Series("__name__=m,of=a", (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), 1))));
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/a/api/v1/receive", body)).Code);
        Assert.Contains("\"of\":\"a\"", (await app.GetAsync("/a/api/v1/query?query=m")).Body);
        Assert.Contains("[\"a\"]", (await app.GetAsync("/a/api/v1/label/of/values")).Body);
        Assert.Equal(200, (await app.GetAsync("/a/api/v1/rules")).Code);
        Assert.DoesNotContain("\"of\":\"a\"", (await app.GetAsync("/api/v1/query?query=m")).Body);
        Assert.Equal(400, (await app.GetAsync("/a/api/v1/query?query=m", ("X-Scope-OrgID", "b"))).Code);
        Assert.Equal(200, (await app.GetAsync("/a/api/v1/query?query=m", ("X-Scope-OrgID", "a"))).Code);
        Assert.Equal(400, (await app.GetAsync("/__x/api/v1/query?query=m")).Code);
        Assert.Equal(404, (await app.GetAsync("/a/metrics")).Code);
        await using var off = await RealGateway.StartAsync();
        Assert.Equal(404, (await off.GetAsync("/a/api/v1/query?query=m")).Code);
    }

    [Fact]
    public async Task OnlyAdmittedTenantsAreServed()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.Admitted = ["a", "default"]);
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m")).Code);
        var write = await app.WriteAsync("b", "__name__=m");
        Assert.Equal((403, "tenant b is not allowed to access\n"), (write.Code, write.Body));
        var read = await app.GetAsync("/api/v1/labels", ("X-Scope-OrgID", "a|b"));
        Assert.Equal((403, """{"status":"error","errorType":"forbidden","error":"tenant b is not allowed to access"}"""), (read.Code, read.Body));
        Assert.Equal(200, (await app.GetAsync("/api/v1/labels")).Code);
    }

    [Fact]
    public async Task AReadOfSeveralTenantsSeesEachOnesSeriesUnderItsName()
    {
        await using var app = await RealGateway.StartAsync();
        foreach (var tenant in new[] { "a", "b", "c" })
        {
            Assert.Equal(204, (await app.WriteAsync(tenant, "__name__=m", $"__name__=m,of={tenant}", $"__name__=only_{tenant}")).Code);
        }

        (string, string) both = ("X-Scope-OrgID", "b|a");
        async Task<string> Ask(string path, (string, string)? as_ = null) => Data((await app.GetAsync("/api/v1/" + path, as_ ?? both)).Body);
        Assert.Contains("""{"__name__":"m","__tenant_id__":"a","of":"a"}""", await Ask("query?query=m"));
        Assert.Contains("""{"__name__":"m","__tenant_id__":"b"}""", await Ask("query?query=m"));
        Assert.DoesNotContain("only_c", await Ask("query?query={__name__!=\"\"}"));
        Assert.Equal(["1.5", "4"], Values(await Ask("query?query=avg(count by (__tenant_id__) (m) - 0.5)"), await Ask("query?query=count(m)")));
        Assert.Contains("\"__tenant_id__\":\"a\"", await Ask("query?query=count by (__tenant_id__) (m)"));
        Assert.Equal(["2"], Values(await Ask("query?query=count(m{__tenant_id__=\"b\"})")));
        Assert.Equal(["3"], Values(await Ask("query?query=count({__tenant_id__=~\"a|c\"})")));
        Assert.Equal(["6"], Values(await Ask("query?query=count({__name__!=\"\",__tenant_id__!=\"c\"})")));
        Assert.Equal("""{"resultType":"vector","result":[]}""", await Ask("query?query=m{__tenant_id__=\"c\"}"));
        Assert.Equal("""[{"__name__":"m","__tenant_id__":"b"},{"__name__":"m","__tenant_id__":"b","of":"b"}]""", await Ask("series?match[]=m{__tenant_id__=\"b\"}"));
        Assert.Equal("""["__name__","__tenant_id__","of"]""", await Ask("labels"));
        Assert.Equal("""["a","b"]""", await Ask("label/__tenant_id__/values"));
        Assert.Equal("""["b"]""", await Ask("label/__tenant_id__/values?match[]=only_b"));
        Assert.Equal("""["a","b"]""", await Ask("label/of/values"));
        Assert.Contains("m{__tenant_id__=\"b\",of=\"b\",instance=\"\"} 1 ", (await app.GetAsync("/federate?match[]=m", both)).Body);
        Assert.Equal(["9"], Values(await Ask("query?query=count({__name__!=\"\"})", ("X-Scope-OrgID", "__all__"))));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        Assert.Contains("""{"__name__":"m","__tenant_id__":"b","of":"b"}""", await Ask($"query_range?query=m&start={now - 60}&end={now + 60}&step=30"));

        // A read by one name is that tenant's as it is.
        Assert.DoesNotContain("__tenant_id__", await Ask("query?query=m", ("X-Scope-OrgID", "a|a")));
    }

    [Fact]
    public async Task AllTenantsAreAlsoThoseThatOnlyObjectStorageKnows()
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m")).Code);
        await new TenantShardMaps(app.Cluster.Objects!, 1).OpenAsync(TenantId.Parse("later"), default);
        Assert.Single(app.Cluster.Tenants);

        var lag = await app.GetAsync("/api/v1/user_lag", ("X-Scope-OrgID", "__all__"));
        var usage = await app.GetAsync("/distributor/all_user_stats");

        Assert.All([lag, usage], static answer => Assert.Equal(["a", "later"], Regex.Matches(answer.Body, "\"userID\":\"([a-z]+)\"").Select(static m => m.Groups[1].Value)));
    }

    [Fact]
    public async Task ASeriesThatHasTheLabelItselfIsNotMistakenForAnother()
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m", "__name__=m,__tenant_id__=b")).Code);
        Assert.Equal(204, (await app.WriteAsync("b", "__name__=m")).Code);
        var found = (await app.GetAsync("/api/v1/query?query=m{__tenant_id__=\"a\"}", ("X-Scope-OrgID", "a|b"))).Body;
        Assert.Contains("""{"__name__":"m","__tenant_id__":"a","original___tenant_id__":"b"}""", found);
        Assert.Contains("""{"__name__":"m","__tenant_id__":"a"}""", found);
        Assert.DoesNotContain("\"__tenant_id__\":\"b\"", found);
    }

    [Theory]
    [InlineData("a|b")]
    [InlineData("__all__")]
    public async Task WritesAndAdministrationNameOneTenant(string tenants)
    {
        await using var app = await RealGateway.StartAsync();
        await app.WriteAsync("a", "__name__=m");
        await app.WriteAsync("b", "__name__=m");
        Assert.Equal(400, (await app.WriteAsync(tenants, "__name__=m")).Code);
        Assert.Equal(400, (await app.SendAsync(HttpMethod.Post, "/api/v1/admin/tsdb/delete_series?match[]=m", null, ("X-Scope-OrgID", tenants))).Code);
        Assert.Equal(400, (await app.SendAsync(HttpMethod.Post, "/config/v1/rules/n", new StringContent("name: g"), ("X-Scope-OrgID", tenants))).Code);
    }

    private static string Data(string body) => JsonDocument.Parse(body).RootElement.TryGetProperty("data", out var data) ? data.ToString() : throw new InvalidOperationException(body);

    private static string[] Values(params string[] results) =>
        [.. results.SelectMany(r => JsonDocument.Parse(r).RootElement.GetProperty("result").EnumerateArray()).Select(s => s.GetProperty("value")[1].GetString()!)];

    private static async Task<string> Series(RealGateway app, params (string, string)[] headers) => (await app.GetAsync("/api/v1/query?query=m", headers)).Body;
}
