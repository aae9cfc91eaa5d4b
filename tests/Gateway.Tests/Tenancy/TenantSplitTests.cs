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
