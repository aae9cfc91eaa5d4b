using System.Buffers.Binary;
using System.Net;
using Metrics.Gateway.Configuration;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests.Otlp;

/// <summary>OTLP/gRPC: messages in frames, outcomes in trailers, and what of it is refused.</summary>
public sealed class OtlpGrpcTests
{
    private const string Path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

    private static readonly byte[] oneGauge = OtlpTests.OneResource("", OtlpBytes.Gauge("g", "", OtlpBytes.Number(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), 1, [])));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AMessageIsStoredForTheTenantThatItsMetadataNames(bool isCompressed)
    {
        await using var app = await StartAsync();
        using var client = Client();
        var frame = isCompressed ? Frame(OtlpWrite.Gzip(oneGauge), 1) : Frame(oneGauge);
        var (status, message, body) = await SendAsync(app, client, frame, ("X-Scope-OrgID", "a"), ("grpc-encoding", isCompressed ? "gzip" : "identity"));
        Assert.Equal(("0", ""), (status, message));
        Assert.Equal(new byte[5], body);
        Assert.Contains("\"__name__\":\"g\"", (await app.GetAsync("/api/v1/series?match[]=g", ("X-Scope-OrgID", "a"))).Body);
    }

    [Fact]
    public async Task WhatIsRefusedForGoodIsCounted()
    {
        await using var app = await StartAsync((o, _) => o.Limits.MaxLabelNameLength = 8);
        using var client = Client();
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var request = OtlpTests.OneResource("", OtlpBytes.Gauge("g", "", OtlpBytes.Number(now, 1, []), OtlpBytes.Number(now, 1, OtlpBytes.Attributes("longer_than_that=1"))));
        var (status, _, body) = await SendAsync(app, client, Frame(request));
        Assert.Equal("0", status);
        Assert.Equal(body.Length - 5, BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(1)));

        // ExportMetricsPartialSuccess { rejected_data_points: 1, error_message }
        Assert.True(body.AsSpan().IndexOf([(byte)0x08, (byte)0x01, (byte)0x12]) > 5);
        Assert.Contains("label name too long", System.Text.Encoding.UTF8.GetString(body));
    }

    [Theory]
    [InlineData("cut", "3", "which are not one framed message")]
    [InlineData("longer", "3", "which are not one framed message")]
    [InlineData("flag", "3", "which are not one framed message")]
    [InlineData("empty", "3", "which are not one framed message")]
    [InlineData("nonsense", "3", "")]
    [InlineData("zstd", "12", "grpc-encoding \"zstd\" is not accepted")]
    [InlineData("large", "8", "limit remote_write.max_body of 2KiB")]
    [InlineData("bomb", "8", "limit remote_write.max_decompressed of 4KiB")]
    [InlineData("tenant", "3", "tenant")]
    public async Task WhatIsNoMessageIsRefusedWithItsCode(string what, string code, string says)
    {
        await using var app = await StartAsync((o, _) => (o.RemoteWrite.MaxBody, o.RemoteWrite.MaxDecompressed) = (new(2048), new(4096)));
        using var client = Client();
        byte[] body = what switch
        {
            "cut" => Frame(oneGauge)[..^1],
            "longer" => [.. Frame(oneGauge), 0],
            "flag" => Frame(oneGauge, 2),
            "empty" => [],
            "nonsense" => Frame([0xff, 0xff, 0xff]),
            "large" => Frame(new byte[4000]),
            "bomb" => Frame(OtlpWrite.Gzip(new byte[100_000]), 1),
            _ => Frame(oneGauge),
        };
        var (status, message, _) = await SendAsync(app, client, body, ("grpc-encoding", what == "zstd" ? "zstd" : "gzip"), ("X-Scope-OrgID", what == "tenant" ? "a/b" : "a"));
        Assert.Equal(code, status);
        Assert.Contains(says, message);
    }

    [Fact]
    public async Task ATenantAboveItsRateIsToldWhenToComeBack()
    {
        await using var app = await StartAsync((o, _) => (o.Limits.RequestRate, o.Limits.RequestBurstSize) = (1, 1), new ManualTime());
        using var client = Client();
        Assert.Equal("0", (await SendAsync(app, client, Frame(oneGauge))).Status);
        using var request = Request(app, Frame(oneGauge));
        using var answer = await client.SendAsync(request);
        Assert.Equal("14", answer.Headers.GetValues("grpc-status").Single());

        // RetryInfo { retry_delay: 1 s } at the end of google.rpc.Status.
        var details = Convert.FromBase64String(answer.Headers.GetValues("grpc-status-details-bin").Single().PadRight((answer.Headers.GetValues("grpc-status-details-bin").Single().Length + 3) / 4 * 4, '='));
        Assert.Contains("google.rpc.RetryInfo", System.Text.Encoding.UTF8.GetString(details));
        Assert.Equal([0x08, 0x01], details[^2..]);
    }

    [Fact]
    public async Task TheCallerIsAskedWhoItIsAndHttp1IsNoGrpc()
    {
        await using var app = await AuthenticationTests.StartAsync((o, _) => o.Otlp.GrpcListen = "127.0.0.1:0");
        using var client = Client();
        using var unknown = Request(app, Frame(oneGauge));
        using var refused = await client.SendAsync(unknown);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        using var content = new ByteArrayContent(Frame(oneGauge));
        content.Headers.ContentType = new("application/grpc");
        Assert.Equal(415, (await app.SendAsync(HttpMethod.Post, Path, content, ("Authorization", "Bearer token-of-a"))).Code);
        Assert.Equal("7", (await SendAsync(app, client, Frame(oneGauge), ("Authorization", "Bearer token-of-a"), ("X-Scope-OrgID", "b"))).Status);
        Assert.Equal("0", (await SendAsync(app, client, Frame(oneGauge), ("Authorization", "Bearer token-of-a"), ("X-Scope-OrgID", "a"))).Status);
    }

    private static Task<RealGateway> StartAsync(Action<GatewayOptions, string>? configure = null, TimeProvider? time = null) => RealGateway.StartAsync(
        (o, folder) =>
        {
            o.Otlp.GrpcListen = "127.0.0.1:0";
            configure?.Invoke(o, folder);
        },
        time);

    private static HttpClient Client() => new();

    private static byte[] Frame(byte[] message, byte flag = 0)
    {
        var frame = new byte[5 + message.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }

    private static HttpRequestMessage Request(RealGateway app, byte[] body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(app.GrpcAddress, Path)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/grpc");
        request.Headers.TE.Add(new("trailers"));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    private static async Task<(string Status, string Message, byte[] Body)> SendAsync(RealGateway app, HttpClient client, byte[] body, params (string Name, string Value)[] headers)
    {
        using var request = Request(app, body, headers);
        using var answer = await client.SendAsync(request);
        Assert.Equal((HttpStatusCode.OK, "application/grpc"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        var got = await answer.Content.ReadAsByteArrayAsync();
        var from = answer.Headers.Contains("grpc-status") ? answer.Headers : answer.TrailingHeaders;
        return (from.GetValues("grpc-status").Single(), from.TryGetValues("grpc-message", out var message) ? Uri.UnescapeDataString(message.Single()) : "", got);
    }
}
