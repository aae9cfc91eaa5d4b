using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Metrics.Cluster;
using Metrics.Gateway.Tests.Otlp;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests.TextImport;

/// <summary>Prometheus's text format, pushed: labels, times, mistakes, answers.</summary>
public class TextImportTests
{
    private const string Import = "/api/v1/import/prometheus";

    [Fact]
    public async Task EachLineIsASampleOfItsSeries()
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, body) = await SendAsync(app, "# TYPE requests_total counter\n# HELP requests_total Asked\\nfor.\nrequests_total{path=\"/a b\",code=\"200\"} 17 5\nup 1 5\n{\"with.dots\",job=\"own\"} NaN 5\n", "?extra_label=job=backup&extra_label=team=a%3Db&timestamp=7");
        Assert.Equal((HttpStatusCode.NoContent, ""), (status, body));
        Assert.Equal(
            [
                "requests_total{code=\"200\", job=\"backup\", path=\"/a b\", team=\"a=b\"} 5 17",
                "up{job=\"backup\", team=\"a=b\"} 5 1",
                "{\"with.dots\", job=\"backup\", team=\"a=b\"} 5 NaN",
            ],
            app.Cluster["default"].Samples.Order(StringComparer.Ordinal));
        Assert.Contains("\"requests_total\":[{\"type\":\"counter\",\"unit\":\"\",\"help\":\"Asked\\nfor.\"}]", (await app.GetAsync("/api/v1/metadata")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutATimeItIsTheOneGivenOrNowAndOpenMetricsCountsSeconds()
    {
        await using var app = await GatewayApp.StartAsync();
        var before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        await SendAsync(app, "now 1\n");
        await SendAsync(app, "given 1\n", "?timestamp=7");
        await SendAsync(app, "seconds 1 1.5 # {a=\"b\"} 1\n# EOF\n", "", "application/openmetrics-text; version=1.0.0");
        Assert.InRange(long.Parse(app.Cluster["default"].Samples.Single(static s => s.StartsWith("now ", StringComparison.Ordinal)).Split(' ')[1]), before, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        Assert.Contains("given 7 1", app.Cluster["default"].Samples);
        Assert.Contains("seconds 1500 1", app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task WhatAServerShowsOfItselfCanBePushed()
    {
        await using var app = await RealGateway.StartAsync();
        var page = (await app.GetAsync("/metrics")).Body;
        var answer = await app.SendAsync(HttpMethod.Post, Import, new StringContent(page), ("X-Scope-OrgID", "self"));
        Assert.Equal((204, ""), (answer.Code, answer.Body));
        var samples = page.Split('\n').Count(static l => l.Length > 0 && l[0] != '#');
        Assert.Contains($",\"{samples}\"]", (await app.GetAsync("/api/v1/query?query=count({__name__=~\".%2B\"})", ("X-Scope-OrgID", "self"))).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a 1 5\nb x\nc 3 5\nd{e} 1", "", 400, "2 lines could not be read, first line 2: a value that is no number\n", "a 5 1|c 5 3")]
    [InlineData("a 1 5", "?timestamp=x", 400, "invalid timestamp \"x\": want milliseconds\n", "")]
    [InlineData("a 1 5", "?extra_label=x", 400, "invalid extra_label \"x\": want NAME=VALUE, 32 at most\n", "")]
    [InlineData("", "", 204, "", "")]
    public async Task MistakesAreNamedAndTheRestIsStored(string text, string query, int status, string message, string stored)
    {
        await using var app = await GatewayApp.StartAsync();
        var (got, body) = await SendAsync(app, text, query);
        Assert.Equal((status, message), ((int)got, body));
        Assert.Equal(stored, string.Join('|', app.Cluster["default"].Samples));
    }

    [Fact]
    public async Task RefusedSamplesAndShardsThatAreAwayAreToldAsWithOtherFormats()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.Rejections = [new Rejection(RejectReason.TooOld, 1, "series x")];
        var (status, body) = await SendAsync(app, "a 1 5\nb 1 5");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("too old sample: 1, first series x", body, StringComparison.Ordinal);
        app.Cluster.AppendFailure = new ShardUnavailableException(app.Cluster["default"].Shards[0].Id, "testing");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await SendAsync(app, "a 1 5")).Status);
    }

    [Fact]
    public async Task GzipIsInflatedAndOtherCompressionsAreRefused()
    {
        await using var app = await GatewayApp.StartAsync();
        foreach (var (encoding, want) in new[] { ("gzip", HttpStatusCode.NoContent), ("br", HttpStatusCode.UnsupportedMediaType) })
        {
            var content = new ByteArrayContent(OtlpWrite.Gzip("a 1 5"u8.ToArray()));
            content.Headers.ContentEncoding.Add(encoding);
            using var response = await app.AskAsync(HttpMethod.Post, Import, content);
            Assert.Equal(want, response.StatusCode);
        }

        Assert.Equal(["a 5 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task AnyTextGetsAnAnswerAndNeverABug()
    {
        await using var app = await GatewayApp.StartAsync();
        Prop.ForAll(
            Gen.Elements([.. "ab1.,= \\\"\n#{}-\u00e9\u0000"]).ArrayOf().ToArbitrary(),
            chars => (int)SendAsync(app, new string(chars)).GetAwaiter().GetResult().Status is 204 or 400).QuickCheckThrowOnFailure();
    }

    private static Task<(HttpStatusCode Status, string Body)> SendAsync(GatewayApp app, string text, string query = "", string contentType = "text/plain")
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(text));
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return app.SendAsync(HttpMethod.Post, Import + query, content);
    }
}
