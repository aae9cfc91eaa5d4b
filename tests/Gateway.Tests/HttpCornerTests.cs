using System.Net;
using System.Text;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>What is HTTP's and not the data's: methods, forms, headers that come twice or not at all, other origins.</summary>
public sealed class HttpCornerTests
{
    private static readonly (string, string) tenant = ("X-Scope-OrgID", "a");

    [Theory]
    [InlineData("/api/v1/query?query=vector(1)", "")]
    [InlineData("/api/v1/query?query=vector(1)&stats=all", "")]
    [InlineData("/api/v1/query?query=vector(1)&stats=1", "\"warnings\":[\"value \\\"1\\\" for parameter \\\"stats\\\" is deprecated")]
    [InlineData("/api/v1/query?query=m&limit=1&time=100", "\"warnings\":[\"results truncated due to limit\"]")]
    [InlineData("/api/v1/query?query=m&limit=2&time=100", "")]
    [InlineData("/api/v1/series?match[]=m&limit=1", "\"warnings\":[\"results truncated due to limit\"]")]
    [InlineData("/api/v1/labels?limit=1", "\"warnings\":[\"results truncated due to limit\"]")]
    public async Task WarningsSayWhatWasLeftOut(string path, string warning)
    {
        await using var app = await StartAsync();
        var answer = await app.GetAsync(path, tenant);
        Assert.Equal(200, answer.Code);
        Assert.Equal(warning.Length > 0, answer.Body.Contains("\"warnings\"", StringComparison.Ordinal));
        Assert.Contains(warning, answer.Body, StringComparison.Ordinal);
        Assert.Equal(path.Contains("stats", StringComparison.Ordinal), answer.Body.Contains("\"stats\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("POST", "/api/v1/query?query=ignored", "query=m&time=100", "\"i\":\"1\"")]
    [InlineData("POST", "/api/v1/query?query=m&time=100", "", "\"i\":\"1\"")] // what the form lacks is the URL's
    [InlineData("POST", "/api/v1/series?match[]=n", "match[]=m", "{\"__name__\":\"n\"}")] // a list is of both
    [InlineData("POST", "/api/v1/series?match[]=n", "match[]=m", "\"i\":\"1\"")]
    public async Task FormsAreReadBesideTheUrlWhateverTheirCharset(string method, string path, string form, string found)
    {
        await using var app = await StartAsync();
        foreach (var type in new[] { "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8" })
        {
            var content = new ByteArrayContent(Encoding.UTF8.GetBytes(form));
            content.Headers.TryAddWithoutValidation("Content-Type", type);
            var answer = await app.SendAsync(new HttpMethod(method), path, content, tenant);
            Assert.True(answer.Code == 200 && answer.Body.Contains(found, StringComparison.Ordinal), $"{type}: {answer.Code} {answer.Body}");
        }
    }

    [Fact]
    public async Task APutMayBringItsParametersAsAFormToo()
    {
        await using var app = await StartAsync();
        var answer = await app.SendAsync(HttpMethod.Put, "/api/v1/admin/tsdb/delete_series", new FormUrlEncodedContent([new("match[]", "m{i=\"1\"}")]), tenant);
        Assert.Equal((204, ""), (answer.Code, answer.Body));
        Assert.Contains("\"result\":[{\"metric\":{},\"value\":[100,\"1\"]}]", (await app.GetAsync("/api/v1/query?query=count(m)&time=100", tenant)).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HEAD", "/-/healthy", 200, "")]
    [InlineData("HEAD", "/-/ready", 200, "")]
    [InlineData("HEAD", "/metrics", 200, "")]
    [InlineData("HEAD", "/api/v1/query", 405, "GET, POST, OPTIONS")]
    [InlineData("DELETE", "/api/v1/labels", 405, "GET, POST, OPTIONS")]
    [InlineData("POST", "/api/v1/label/i/values", 405, "GET, OPTIONS")]
    [InlineData("GET", "/api/v1/admin/tsdb/delete_series", 405, "POST, PUT, OPTIONS")]
    [InlineData("GET", "/-/reload", 405, "POST, PUT, OPTIONS")]
    [InlineData("GET", "/api/v1/labels/", 404, "")]
    public async Task MethodsThatARouteDoesNotTakeAreToldWhichItTakes(string method, string path, int code, string allowed)
    {
        await using var app = await StartAsync();
        var answer = await app.SendAsync(new HttpMethod(method), path, null, tenant);
        Assert.Equal(code, answer.Code);
        Assert.Equal(method == "HEAD", answer.Body.Length == 0);
        Assert.Equal(allowed.Length > 0, answer.Headers.Contains("Allow: ", StringComparison.Ordinal));
        Assert.Contains(allowed.Length > 0 ? "Allow: " + allowed : "", answer.Headers, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("*", "https://a.example", "*")]
    [InlineData("*", "", null)]
    [InlineData("https://a.example", "https://a.example", "https://a.example")]
    [InlineData("https://a.example", "https://b.example", null)]
    [InlineData("", "https://a.example", null)]
    public async Task OtherOriginsMayCallWhenTheyMay(string configured, string origin, string? allowed)
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Http.CorsOrigin = configured);
        foreach (var (method, path, code) in new[] { ("OPTIONS", "/api/v1/query_range", 204), ("GET", "/api/v1/labels", 200), ("GET", "/api/v1/query", 400) })
        {
            var answer = await app.SendAsync(new HttpMethod(method), path, null, origin.Length > 0 ? [("Origin", origin)] : []);
            Assert.Equal(code, answer.Code);
            Assert.Equal(allowed is not null, answer.Headers.Contains("Access-Control-Allow-Origin", StringComparison.Ordinal));
            Assert.Contains(allowed is null ? "" : $"Access-Control-Allow-Origin: {allowed}", answer.Headers, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(200, "X-Scope-OrgID", "a", "X-Scope-OrgID", "a")]
    [InlineData(200, "X-Scope-OrgID", "a", "THANOS-TENANT", "a")]
    [InlineData(200, "X-Scope-OrgID", "a", "THANOS-TENANT", "")]
    [InlineData(400, "X-Scope-OrgID", "a", "X-Scope-OrgID", "b")]
    [InlineData(400, "X-Scope-OrgID", "a", "THANOS-TENANT", "b")]
    [InlineData(400, "X-Scope-OrgID", "a/b", "THANOS-TENANT", "a/b")]
    public async Task ATenantMayBeNamedTwiceButNotTwo(int code, string first, string one, string second, string other)
    {
        await using var app = await StartAsync();
        Assert.Equal(code, (await app.GetAsync("/api/v1/query?query=m", (first, one), (second, other))).Code);
    }

    [Fact]
    public async Task AFlushNamesAnyNumberOfTenantsAndEachMustBeThere()
    {
        await using var app = await StartAsync();
        await app.WriteAsync("b", "__name__=m");
        await app.WriteAsync("c", "__name__=m");
        Assert.Equal(404, (await app.GetAsync("/ingester/flush?tenant=a&tenant=nobody&wait=true")).Code);
        Assert.Equal(400, (await app.GetAsync("/ingester/flush?tenant=a%2Fb")).Code);
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/ingester/flush?tenant=a&tenant=b&wait=true", null)).Code);
        Assert.Equal([true, true, false], new[] { "a", "b", "c" }.Select(t => app.Cluster.Tenants.Single(o => o.Id.Value == t).Shards.Sum(static s => s.Statistics.Blocks) > 0));
    }

    [Fact]
    public async Task AnAnswerThatVariesSaysByWhat()
    {
        await using var app = await StartAsync();
        var zipped = await app.GetAsync("/api/v1/labels", tenant, ("Accept-Encoding", "gzip"), ("Origin", "https://a.example"));
        Assert.Contains("Vary: Origin, Accept-Encoding", zipped.Headers, StringComparison.Ordinal);
        Assert.Contains("Content-Encoding: gzip", zipped.Headers, StringComparison.Ordinal);
        Assert.Contains("Vary: Accept", (await app.GetAsync("/metrics")).Headers, StringComparison.Ordinal);
    }

    /// <summary>A server with <c>m{i="1"}</c>, <c>m{i="2"}</c> and <c>n</c> of a tenant, at 100 s.</summary>
    private static async Task<RealGateway> StartAsync()
    {
        var app = await RealGateway.StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync([tenant], 100_000, "__name__=m,i=1", "__name__=m,i=2", "__name__=n")).Status);
        return app;
    }
}
