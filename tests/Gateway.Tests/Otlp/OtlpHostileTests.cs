using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests.Otlp;

public class OtlpHostileTests
{
    private static readonly byte[] good = OtlpTests.OneResource(
        "service.name=a,x=y",
        OtlpBytes.Gauge("g", "s", OtlpBytes.Number(1000, 1, OtlpBytes.Attributes("a=b"))),
        OtlpBytes.Histogram("h", "", 2, OtlpBytes.HistogramPoint(1000, 3, 1, [1, 2], [1], [], 0, OtlpBytes.Exemplar(900, 1, [1, 2], [3], OtlpBytes.Attributes("u=v")))),
        OtlpBytes.Exponential("e", "", 2, OtlpBytes.ExponentialPoint(1000, 3, 1, 0, 0, (0, [3]), (0, []), [])),
        OtlpBytes.Summary("q", "", OtlpBytes.SummaryPoint(1000, 3, 1, [(0.5, 1)])));

    [Fact]
    public async Task EveryPrefixIsAnErrorAndNothingIsStored()
    {
        await using var app = await GatewayApp.StartAsync();
        var packed = OtlpWrite.Gzip(good);
        for (var length = 1; length < packed.Length; length++)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await OtlpWrite.SendAsync(app, packed[..length], encoding: "gzip")).Status);
        }

        for (var length = 1; length < good.Length; length++)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await OtlpWrite.SendAsync(app, good[..length])).Status);
        }

        Assert.Empty(app.Cluster["default"].Samples);
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, good)).Status);
    }

    [Fact]
    public async Task AnyBytesChangedGiveAnAnswerAndNeverABug()
    {
        await using var app = await GatewayApp.StartAsync();
        Prop.ForAll(
            Gen.Choose(0, good.Length - 1).Zip(Gen.Choose(0, 255)).ListOf(3).ToArbitrary(),
            changes =>
            {
                var changed = (byte[])good.Clone();
                foreach (var (at, value) in changes)
                {
                    changed[at] = (byte)value;
                }

                return (int)OtlpWrite.SendAsync(app, changed).GetAwaiter().GetResult().Status is 200 or 400 or 413;
            }).QuickCheckThrowOnFailure();
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, good)).Status);
    }

    [Fact]
    public async Task BombsAreRefusedWithoutTakingTheirMemory()
    {
        await using var app = await GatewayApp.StartAsync();
        var manyPoints = Enumerable.Repeat(Array.Empty<byte>(), 400_000).ToArray();
        var longText = new string('x', 100_000);
        (byte[] Body, string Type, string Encoding)[] bombs =
        [
            (OtlpWrite.Gzip(new byte[200 << 20]), "application/x-protobuf", "gzip"),
            ([.. OtlpWrite.Gzip(new byte[100 << 20]), .. OtlpWrite.Gzip(new byte[100 << 20])], "application/json", "gzip"),
            (OtlpTests.OneResource("", OtlpBytes.Gauge("g", "", [.. Enumerable.Range(0, 6).SelectMany(_ => manyPoints)])), "application/x-protobuf", ""),
            (OtlpTests.OneResource("", OtlpBytes.Exponential("e", "", 2, OtlpBytes.ExponentialPoint(1, 1, 1, 0, 0, (0, new ulong[1_000_000]), (0, []), []))), "application/x-protobuf", ""),
            (OtlpTests.OneResource("", OtlpBytes.Histogram("h", "", 2, OtlpBytes.HistogramPoint(1, 1, 1, new ulong[60_001], [.. Enumerable.Range(0, 60_000).Select(i => (double)i)], OtlpBytes.Attributes("a=" + longText)))), "application/x-protobuf", ""),
            (Encoding.UTF8.GetBytes("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[""" + string.Join(',', Enumerable.Repeat('0', 1_000_000)) + "]}]}}]}]}]}"), "application/json", ""),
        ];
        foreach (var bomb in bombs)
        {
            Assert.InRange((int)(await OtlpWrite.SendAsync(app, bomb.Body, bomb.Type, bomb.Encoding)).Status, 400, 413);
        }

        // Promoted attributes go with every point, so a small body could stand for a lot of copying.
        await using var promoting = await GatewayApp.StartAsync(options => options.Otlp.PromoteAllResourceAttributes = true);
        var copied = OtlpTests.OneResource("a=" + longText, OtlpBytes.Gauge("g", "", manyPoints));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await OtlpWrite.SendAsync(promoting, copied)).Status);

        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var round = 0; round < 3; round++)
        {
            foreach (var bomb in bombs)
            {
                await OtlpWrite.SendAsync(app, bomb.Body, bomb.Type, bomb.Encoding);
            }
        }

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 64L << 20);
        Assert.Contains("metrics_write_inflight_bytes 0\n", (await app.GetAsync("/metrics")).Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, good)).Status);
    }
}
