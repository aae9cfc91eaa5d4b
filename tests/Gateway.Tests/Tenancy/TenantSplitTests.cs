using Metrics.Gateway.Tests.Otlp;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests;

public class TenantSplitTests
{
    private static readonly long now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    [Fact]
    public async Task OneRequestWritesToTheTenantsThatItsSeriesName()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.LabelName = "team");
        Assert.Equal(204, (await app.WriteAsync([("X-Scope-OrgID", "own")], null, "__name__=m,team=a,x=1", "__name__=m,team=b,x=1", "__name__=m,x=2", "__name__=m,team=a,x=3")).Code);
        Assert.Equal("1 3", await ValuesAsync(app, "a"));
        Assert.Equal("1", await ValuesAsync(app, "b"));
        Assert.Equal("2", await ValuesAsync(app, "own"));
        Assert.Equal(3, app.Cluster.Tenants.Count);
        Assert.DoesNotContain("team", (await app.GetAsync("/api/v1/labels", ("X-Scope-OrgID", "a"))).Body);
    }

    [Fact]
    public async Task RemoteWrite2IsSplitTheSame()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.LabelName = "team");
        string[] symbols = ["", "__name__", "m", "team", "a", "b", "x", "1", "2"];
        byte[] message =
        [
            .. symbols.SelectMany(s => WriteMessage.Field(4, System.Text.Encoding.UTF8.GetBytes(s))),
            .. Series2(1, 2, 3, 4, 6, 7), .. Series2(1, 2, 3, 5, 6, 7), .. Series2(1, 2, 6, 8),
        ];
        var body = RealGateway.Body(message);
        body.Headers.Remove("Content-Type");
        body.Headers.TryAddWithoutValidation("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
        var answer = await app.SendAsync(HttpMethod.Post, "/api/v1/write", body, ("X-Scope-OrgID", "own"));
        Assert.Equal((204, ""), (answer.Code, answer.Body));
        Assert.Contains("X-Prometheus-Remote-Write-Samples-Written: 3", answer.Headers);
        Assert.Equal(["1", "1", "2"], [await ValuesAsync(app, "a"), await ValuesAsync(app, "b"), await ValuesAsync(app, "own")]);
    }

    [Fact]
    public async Task OtlpAndInfluxAreSplitTheSame()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.LabelName = "team");
        string[] points = ["team=a,x=1", "team=b,x=2", "x=3"];
        var resource = OtlpTests.OneResource("service.name=s,team=c", OtlpBytes.Gauge("g", "", [.. points.Select(p => OtlpBytes.Number(now, 1, OtlpBytes.Attributes(p)))]));
        using var otlp = new ByteArrayContent(resource);
        otlp.Headers.ContentType = new("application/x-protobuf");
        Assert.Equal((200, ""), await SendAsync("/api/v1/otlp/v1/metrics", otlp));
        Assert.Equal(["1", "2", "3", ""], [await ValuesAsync(app, "a"), await ValuesAsync(app, "b"), await ValuesAsync(app, "own"), await ValuesAsync(app, "c")]);
        Assert.Contains("target_info", (await app.GetAsync("/api/v1/label/__name__/values", ("X-Scope-OrgID", "c"))).Body);
        Assert.Contains("\"g\"", (await app.GetAsync("/api/v1/metadata", ("X-Scope-OrgID", "b"))).Body);
        Assert.DoesNotContain("\"g\"", (await app.GetAsync("/api/v1/metadata", ("X-Scope-OrgID", "c"))).Body);

        using var lines = new StringContent($"m,team=a,x=4 v=1 {now}\nm,team=a,x=5 v=1 {now}\nm,x=6 v=1 {now}\nwrong\nm,team=b/c,x=7 v=1 {now}\n");
        var (code, body) = await SendAsync("/write?precision=ms", lines);
        Assert.Equal(400, code);
        Assert.Contains("1 lines could not be read, first line 4", body);
        Assert.Contains("1 samples refused, 3 stored; invalid tenant: 1, first tenant id contains the unsupported character", body);
        Assert.Equal(["1 4 5", "2", "3 6"], [await ValuesAsync(app, "a"), await ValuesAsync(app, "b"), await ValuesAsync(app, "own")]);
        Assert.DoesNotContain("team", (await app.GetAsync("/api/v1/labels", ("X-Scope-OrgID", "a"))).Body);

        async Task<(int, string)> SendAsync(string path, HttpContent content)
        {
            var answer = await app.SendAsync(HttpMethod.Post, path, content, ("X-Scope-OrgID", "own"));
            return (answer.Code, answer.Body);
        }
    }

    [Fact]
    public async Task ARequestForATenantThatIsNotTheCallersIsRefusedWholeInEveryFormat()
    {
        await using var app = await RealGateway.StartAsync((o, _) => (o.Tenancy.LabelName, o.Tenancy.Admitted) = ("team", ["own", "a"]));
        using var lines = new StringContent($"m,team=a,x=1 v=1 {now}\nm,team=z,x=2 v=1 {now}\n");
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/write?precision=ms", lines, ("X-Scope-OrgID", "own"))).Code);
        using var otlp = new ByteArrayContent(OtlpTests.OneResource("", OtlpBytes.Gauge("g", "", OtlpBytes.Number(now, 1, OtlpBytes.Attributes("team=z")), OtlpBytes.Number(now, 1, OtlpBytes.Attributes("team=a")))));
        otlp.Headers.ContentType = new("application/x-protobuf");
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/api/v1/otlp/v1/metrics", otlp, ("X-Scope-OrgID", "own"))).Code);
        Assert.Equal([], app.Cluster.Tenants);
    }

    [Fact]
    public async Task SeriesThatNameNoTenantAreRefusedAndTheirNeighboursStored()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.LabelName = "team");
        var answer = await app.WriteAsync([], null, "__name__=m,team=a,x=1", "__name__=m,team=../b,x=2");
        Assert.Equal((400, "1 samples refused, 1 stored; invalid tenant: 1, first tenant id contains the unsupported character '/'; allowed are letters, digits and ! - _ . * ' ( )\n"), (answer.Code, answer.Body));
        Assert.Equal("1", await ValuesAsync(app, "a"));
    }

    [Fact]
    public async Task LimitsAndAdmissionAreThoseOfEachTenant()
    {
        await using var app = await RealGateway.StartAsync((o, folder) =>
        {
            o.Tenancy.LabelName = "team";
            o.Tenancy.Admitted = ["default", "a", "b"];
            IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    request_series: 1\n");
        });
        Assert.Equal((403, "tenant c is not allowed to access\n"), await WriteAsync("__name__=m,team=b,x=1", "__name__=m,team=c,x=1"));
        Assert.Equal("", await ValuesAsync(app, "b"));
        Assert.Equal(413, (await WriteAsync("__name__=m,team=a,x=1", "__name__=m,team=a,x=2", "__name__=m,team=b,x=1")).Code);
        Assert.Equal(["", "1"], [await ValuesAsync(app, "a"), await ValuesAsync(app, "b")]);

        async Task<(int Code, string)> WriteAsync(params string[] series)
        {
            var answer = await app.WriteAsync([], null, series);
            return (answer.Code, answer.Body);
        }
    }

    [Fact]
    public async Task ARefusalOfOnePartTellsWhatBecameOfTheOthers()
    {
        await using var app = await RealGateway.StartAsync(
            (o, folder) =>
            {
                o.Tenancy.LabelName = "team";
                IngestLimitsTests.Overrides(o, folder, "overrides:\n  a: {request_series: 1}\n  slow: {request_rate: 1, request_burst_size: 1}\n  full: {max_global_series_per_user: 1}\n");
            },
            new ManualTime());
        var refused = await app.WriteAsync([], null, "__name__=m,team=a,x=1", "__name__=m,team=a,x=2", "__name__=m,team=b,x=1", "team=b,x=2");
        Assert.Equal(413, refused.Code);
        Assert.StartsWith("write request refused: 2 series exceed the limit request_series of 1 of tenant a; of the rest, 1 samples refused, 1 stored; tenant b: missing metric name: 1, first ", refused.Body);
        Assert.Contains("X-Prometheus-Remote-Write-Samples-Written: 1", refused.Headers);
        var full = await app.WriteAsync([], null, "__name__=m,team=full,x=1", "__name__=m,team=full,x=2");
        Assert.Equal(429, full.Code);
        Assert.Contains("tenant full: tenant full exceeds its limit max_global_series_per_user of 1 ", full.Body);

        // Each tenant's rate of requests holds for its part; of two refusals the one that need not last is told, so that the sender comes back.
        Assert.Equal(204, (await app.WriteAsync([], null, "__name__=m,team=slow")).Code);
        var late = await app.WriteAsync([], null, "__name__=m,team=a,x=1", "__name__=m,team=a,x=2", "__name__=m,team=b,x=3", "__name__=m,team=slow,x=3");
        Assert.Equal(429, late.Code);
        Assert.NotNull(late.RetryAfter);
        Assert.Contains("limit request_rate of 1 requests/s", late.Body);
        Assert.Equal(["", "1 3", ""], [await ValuesAsync(app, "a"), await ValuesAsync(app, "b"), await ValuesAsync(app, "slow")]);
    }

    [Fact]
    public async Task AnyBytesAreAnsweredAndNothingIsMadeOfThem()
    {
        const int Seed = 4;
        var random = new Random(Seed);
        await using var app = await RealGateway.StartAsync((o, _) => o.Tenancy.LabelName = "team");
        var good = WriteMessage.Of(WriteMessage.Series("__name__=m,team=a,x=1", (now, 1)));
        for (var i = 0; i < 300; i++)
        {
            var bytes = (byte[])good.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            var body = RealGateway.Body(bytes[..random.Next(bytes.Length + 1)]);
            if (i % 2 == 0)
            {
                body.Headers.Remove("Content-Type");
                body.Headers.TryAddWithoutValidation("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
            }

            var code = (await app.SendAsync(HttpMethod.Post, "/api/v1/write", body)).Code;
            Assert.True(code is 204 or 400 or 413, $"seed {Seed}, round {i}: {code}");
        }
    }

    private static byte[] Series2(params byte[] refs) =>
        WriteMessage.Field(5, [.. WriteMessage.Field(1, refs), .. WriteMessage.Field(2, [0x09, .. BitConverter.GetBytes(1.0), 0x10, .. WriteMessage.Number((ulong)now)])]);

    private static async Task<string> ValuesAsync(RealGateway app, string tenant)
    {
        var body = (await app.GetAsync("/api/v1/label/x/values", ("X-Scope-OrgID", tenant))).Body;
        return string.Join(' ', System.Text.Json.JsonDocument.Parse(body).RootElement.GetProperty("data").EnumerateArray());
    }
}
