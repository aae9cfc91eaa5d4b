using System.Net;
using Metrics.Cluster;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests;

public class RemoteWriteTests
{
    [Theory]
    [InlineData("/api/v1/write")]
    [InlineData("/api/v1/receive")]
    [InlineData("/api/v1/push")]
    public async Task SamplesAreStoredUnderTheTenantOfTheHeader(string path)
    {
        await using var app = await GatewayApp.StartAsync();
        var message = WriteMessage.Of(WriteMessage.Series("job=b,__name__=up", (1700000000000, 1), (1700000015000, 0.5)), WriteMessage.Series("__name__=down", (5, -1)));
        for (var i = 0; i < 2; i++)
        {
            // The second time the series are known by reference, and the samples too.
            using var response = await app.AskAsync(HttpMethod.Post, path, GatewayApp.WriteContent(WriteMessage.Snappy(message)), ("X-Scope-OrgID", "team"));
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            Assert.Equal(["3"], response.Headers.GetValues("X-Prometheus-Remote-Write-Samples-Written"));
        }

        Assert.Equal(["down 5 -1", "up{job=\"b\"} 1700000000000 1", "up{job=\"b\"} 1700000015000 0.5"], app.Cluster["team"].Samples.Select(s => s.Replace("{}", "")));
        Assert.Empty(app.Cluster["default"].Samples);
    }

    [Theory]
    [InlineData("", "", "default")]
    [InlineData("X-Scope-OrgID", "a", "a")]
    [InlineData("THANOS-TENANT", "b", "b")]
    [InlineData("cluster", "c", "c")]
    public async Task EachHeaderNamesTheTenant(string header, string value, string tenant)
    {
        await using var app = await GatewayApp.StartAsync(options => options.Tenancy.Header = "cluster");
        (string, string)[] headers = header.Length == 0 ? [] : [(header, value)];
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=a", (1, 1))), headers)).Status);
        Assert.Equal(tenant, Assert.Single(app.Cluster.Tenants).Id.Value);
    }

    [Theory]
    [InlineData("a/b", "", "tenant id contains the unsupported character '/'")]
    [InlineData("..", "", "tenant id '..' is not allowed")]
    [InlineData("a", "b", "conflicting tenant headers: \"a\" and \"b\"")]
    public async Task BadTenantsAreRefusedForWritesAndQueries(string orgId, string thanos, string message)
    {
        await using var app = await GatewayApp.StartAsync();
        (string, string)[] headers = thanos.Length == 0 ? [("X-Scope-OrgID", orgId)] : [("X-Scope-OrgID", orgId), ("THANOS-TENANT", thanos)];
        var (status, text) = await app.WriteAsync(WriteMessage.Of(), headers);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.StartsWith(message, text);
        Assert.Equal(HttpStatusCode.BadRequest, (await app.GetAsync("/api/v1/query?query=up", headers)).Status);
        Assert.Empty(app.Cluster.Tenants);
    }

    [Fact]
    public async Task ATenantCanBeRequired()
    {
        await using var app = await GatewayApp.StartAsync(options => options.Tenancy.Required = true);
        Assert.Equal((HttpStatusCode.Unauthorized, "no org id\n"), await app.WriteAsync(WriteMessage.Of()));
        Assert.Equal((HttpStatusCode.Unauthorized, """{"status":"error","errorType":"unauthorized","error":"no org id"}"""), await app.GetAsync("/api/v1/labels"));
    }

    [Theory]
    [InlineData("Content-Type", "application/x-protobuf;proto=prometheus.WriteRequest", 204)]
    [InlineData("Content-Type", "application/x-protobuf;proto=other", 415)]
    [InlineData("Content-Type", "application/json", 415)]
    [InlineData("Content-Type", "???", 415)]
    [InlineData("Content-Encoding", "gzip", 415)]
    [InlineData("Content-Encoding", "zstd", 415)]
    public async Task OtherMessagesAndCompressionsAreUnsupported(string header, string value, int status)
    {
        await using var app = await GatewayApp.StartAsync();
        var (got, text) = await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=a", (1, 1))), (header, value));
        Assert.Equal(status, (int)got);
        Assert.Equal(status == 415, text.Contains("is not accepted by this server"));
    }

    [Fact]
    public async Task BadSeriesAreRefusedAndTheirNeighboursStored()
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, text) = await app.WriteAsync(WriteMessage.Of(
            WriteMessage.Series("__name__=good", (1, 1)),
            WriteMessage.Series("job=noname", (1, 1), (2, 2)),
            WriteMessage.Series("__name__=twice,a=1,a=2", (1, 1)),
            WriteMessage.Series("__name__=good2", (1, 1))));
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.StartsWith("3 samples refused, 2 stored; missing metric name: 2, first ", text);
        Assert.Contains("duplicate label name: 1, first ", text);
        Assert.Equal(2, app.Cluster["default"].Samples.Count);
    }

    [Fact]
    public async Task RefusalsOfAShardAreNamedAsPrometheusNamesThem()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.Rejections = [new Rejection(RejectReason.OutOfOrder, 1, "up{job=\"a\"} at 5")];
        using var response = await app.AskAsync(HttpMethod.Post, "/api/v1/write", GatewayApp.WriteContent(WriteMessage.Snappy(WriteMessage.Of(WriteMessage.Series("__name__=up", (5, 1), (9, 1))))));
        Assert.Equal("1 samples refused, 1 stored; out of order sample: 1, first up{job=\"a\"} at 5\n", await response.Content.ReadAsStringAsync());
        Assert.Equal(["1"], response.Headers.GetValues("X-Prometheus-Remote-Write-Samples-Written"));
        Assert.Contains("metrics_write_rejected_samples_total{tenant=\"default\",reason=\"out_of_order\"} 1\n", (await app.GetAsync("/metrics")).Body);
    }

    [Fact]
    public async Task AnUnavailableShardAsksToComeBack()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.AppendFailure = new ShardUnavailableException(new ShardId(TenantId.Parse("default"), HashRange.Everything), "disk is full");
        using var response = await app.AskAsync(HttpMethod.Post, "/api/v1/write", GatewayApp.WriteContent(WriteMessage.Snappy(WriteMessage.Of(WriteMessage.Series("__name__=up", (5, 1))))));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(5), response.Headers.RetryAfter!.Delta);
        app.Cluster.AppendFailure = new IOException("the bucket is away");
        using var away = await app.AskAsync(HttpMethod.Post, "/api/v1/write", GatewayApp.WriteContent(WriteMessage.Snappy(WriteMessage.Of(WriteMessage.Series("__name__=up", (5, 1))))));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(5)), (away.StatusCode, away.Headers.RetryAfter!.Delta));
        app.Cluster.AppendFailure = new InvalidOperationException("a bug");
        Assert.Equal((HttpStatusCode.InternalServerError, "internal error; the log has it\n"), await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up", (5, 1)))));
    }

    [Fact]
    public async Task LimitsAreCheckedBeforeMemoryIsTaken()
    {
        await using var app = await GatewayApp.StartAsync(options =>
        {
            options.RemoteWrite.MaxBody = new(10_000);
            options.RemoteWrite.MaxDecompressed = new(20_000);
            options.RemoteWrite.MaxInflight = new(1 << 20);
            options.RemoteWrite.MaxSamples = 3;
        });
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "request body is too large: 10001 bytes, limit remote_write.max_body of 10000B\n"), await app.WriteRawAsync(new byte[10_001]));
        Assert.Equal(
            (HttpStatusCode.RequestEntityTooLarge, "decompressed request body is too large: 20001 bytes, limit remote_write.max_decompressed of 20000B\n"),
            await app.WriteRawAsync([.. WriteMessage.Number(20_001), .. new byte[5000]]));
        Assert.Equal(HttpStatusCode.BadRequest, (await app.WriteRawAsync([0xff, 0xff, 0xff, 0xff, 0x0f, 0])).Status);
        Assert.Equal(
            (HttpStatusCode.RequestEntityTooLarge, "too many samples in one request: limit remote_write.max_samples of 3\n"),
            await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=a", (1, 1), (2, 1), (3, 1), (4, 1)))));
        Assert.Empty(app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task ABodyWithoutALengthIsReadAndLimitedToo()
    {
        await using var app = await GatewayApp.StartAsync(options => options.RemoteWrite.MaxBody = new(200_000));
        Assert.Equal(HttpStatusCode.NoContent, await SendChunkedAsync(app, WriteMessage.Snappy(WriteMessage.Of(WriteMessage.Series("__name__=a,b=" + new string('x', 4000), (1, 1))))));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await SendChunkedAsync(app, new byte[300_000]));
    }

    private static async Task<HttpStatusCode> SendChunkedAsync(GatewayApp app, byte[] body)
    {
        using var content = GatewayApp.WriteContent(body);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/write") { Content = content };
        request.Headers.TransferEncodingChunked = true;
        using var response = await app.Http.SendAsync(request);
        return response.StatusCode;
    }
}
