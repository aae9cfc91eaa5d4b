using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Metrics.Cluster;
using Metrics.Gateway.Tests.Otlp;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests.Influx;

/// <summary>InfluxDB's line protocol over HTTP: names, times, mistakes, answers.</summary>
public class InfluxTests
{
    [Theory]
    [InlineData("/api/v1/push/influx/write")]
    [InlineData("/influx/write")]
    [InlineData("/write")]
    [InlineData("/influx/api/v2/write")]
    [InlineData("/api/v2/write")]
    public async Task EachNumberAndTruthValueIsASampleOfItsOwnSeries(string path)
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, body) = await SendAsync(app, "cpu,host=a\\ b,dc-1=eu usage.idle=1.5,value=2i,up=t,note=\"text\" 1700000000123456789\n\n# comment\n1st,2nd=x value=1 5000000\n", path + "?precision=ns&db=ignored");
        Assert.Equal((HttpStatusCode.NoContent, ""), (status, body));
        Assert.Equal(
            [
                "_1st{_2nd=\"x\"} 5 1",
                "cpu_up{dc_1=\"eu\", host=\"a b\"} 1700000000123 1",
                "cpu_usage_idle{dc_1=\"eu\", host=\"a b\"} 1700000000123 1.5",
                "cpu{dc_1=\"eu\", host=\"a b\"} 1700000000123 2",
            ],
            app.Cluster["default"].Samples);
    }

    [Theory]
    [InlineData("", "1700000000000000000", 1700000000000)]
    [InlineData("n", "-1", -1)]
    [InlineData("us", "1700000000000999", 1700000000000)]
    [InlineData("u", "1", 0)]
    [InlineData("ms", "1700000000000", 1700000000000)]
    [InlineData("s", "1700000000", 1700000000000)]
    [InlineData("m", "28333333", 1699999980000)]
    [InlineData("h", "1", 3600000)]
    public async Task ThePrecisionIsTheUnitOfTimes(string precision, string time, long wantMs)
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(app, $"m v=1 {time}", $"/write?precision={precision}")).Status);
        Assert.Equal([$"m_v {wantMs} 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task ALineWithoutATimeIsOfNow()
    {
        await using var app = await GatewayApp.StartAsync();
        var before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(app, "m v=1")).Status);
        Assert.InRange(long.Parse(app.Cluster["default"].Samples.Single().Split(' ')[1]), before, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
    }

    [Fact]
    public async Task NamesCanBeAsInVictoriaMetrics()
    {
        await using var app = await GatewayApp.StartAsync(options =>
        {
            options.Influx.MeasurementFieldSeparator = ".";
            options.Influx.OmitValueField = false;
            options.Influx.EscapeNames = false;
            options.Influx.DatabaseLabel = "db";
        });
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(app, "my-m,a-b=c value=1 1000000\nn,db=own v=1 1000000", "/write?db=prod")).Status);
        Assert.Equal(["{\"my-m.value\", \"a-b\"=\"c\", db=\"prod\"} 1 1", "{\"n.v\", db=\"own\"} 1 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task WrongLinesAreNamedAndTheRestIsStored()
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, body) = await SendAsync(app, "a v=1 1000000\nb v=x\nc v=3 1000000\nd\ne v=1 99999999999999999999");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("""{"error":"partial write: 3 lines could not be read, first line 2: invalid number or boolean","code":"invalid","message":"partial write: 3 lines could not be read, first line 2: invalid number or boolean"}""", body);
        Assert.Equal(["a_v 1 1", "c_v 1 3"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task RefusedSamplesAreNamed()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.Rejections = [new Rejection(RejectReason.TooOld, 1, "series x")];
        var (status, body) = await SendAsync(app, "a v=1 1000000\nb v=1 1000000");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("partial write: 1 samples refused, 1 stored; too old sample: 1, first series x", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/write?precision=days", "", 400)]
    [InlineData("/write", "br", 415)]
    [InlineData("/write", "gzip", 400)]
    public async Task WhatIsNoRequestIsRefused(string path, string encoding, int want)
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, body) = await SendAsync(app, "m v=1", path, encoding);
        Assert.Equal(want, (int)status);
        Assert.StartsWith("{\"error\":\"", body, StringComparison.Ordinal);
        Assert.Empty(app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task AShardThatIsAwayIs503WithRetryAfter()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.AppendFailure = new ShardUnavailableException(app.Cluster["default"].Shards[0].Id, "testing");
        using var response = await app.AskAsync(HttpMethod.Post, "/write", new StringContent("m v=1"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "5"), (response.StatusCode, response.Headers.GetValues("Retry-After").Single()));
    }

    [Fact]
    public async Task GzipIsInflatedAndBombsAreNot()
    {
        await using var app = await GatewayApp.StartAsync(options => options.RemoteWrite.MaxDecompressed = new(1 << 20));
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(app, OtlpWrite.Gzip("m v=1 1000000"u8.ToArray()), "/write", "gzip")).Status);
        Assert.Equal(["m_v 1 1"], app.Cluster["default"].Samples);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await SendAsync(app, OtlpWrite.Gzip(new byte[2 << 20]), "/write", "gzip")).Status);

        // Long tags go with every field of their line.
        var wide = "m,t=" + new string('x', 4000) + " " + string.Join(',', Enumerable.Range(0, 1000).Select(i => $"f{i}=1"));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await SendAsync(app, wide)).Status);
        Assert.Contains("metrics_write_inflight_bytes 0\n", (await app.GetAsync("/metrics")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnyTextGetsAnAnswerAndNeverABug()
    {
        await using var app = await GatewayApp.StartAsync();
        Prop.ForAll(
            Gen.Elements([.. "ab1.,= \\\"\n#it-\u00e9\u0000"]).ArrayOf().ToArbitrary(),
            chars => (int)SendAsync(app, new string(chars)).GetAwaiter().GetResult().Status is 204 or 400).QuickCheckThrowOnFailure();
    }

    private static Task<(HttpStatusCode Status, string Body)> SendAsync(GatewayApp app, string lines, string path = "/write", string encoding = "") => SendAsync(app, Encoding.UTF8.GetBytes(lines), path, encoding);

    private static async Task<(HttpStatusCode Status, string Body)> SendAsync(GatewayApp app, byte[] lines, string path, string encoding)
    {
        using var content = new ByteArrayContent(lines);
        if (encoding.Length > 0)
        {
            content.Headers.ContentEncoding.Add(encoding);
        }

        return await app.SendAsync(HttpMethod.Post, path, content);
    }
}
