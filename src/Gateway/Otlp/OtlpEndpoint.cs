using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Health;
using Metrics.Gateway.Limits;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tenancy;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>Takes metrics over OTLP/HTTP, in protobuf and JSON.</summary>
/// <remarks>
/// 200 when every data point is durable or refused for good; what was refused is counted in <c>partial_success</c>, for a sender is not to repeat it. 400 when the body is no message,
/// 413 and 415 as named, 503 with Retry-After when the sender should come back. Every answer is in the format of the request; failures are a <c>google.rpc.Status</c>.
/// Rules: opentelemetry.io/docs/specs/otlp, OTLP/HTTP Response.
/// </remarks>
internal sealed partial class OtlpEndpoint(
    ICluster cluster, TenantResolver tenants, WriteAppender appender, OtlpTranslators translators, RemoteWriteOptions options, ByteBudget budget, IngestLimits limits, GatewayInstruments instruments, ILogger<OtlpEndpoint> logger)
{
    private readonly string retryAfter = WriteRefusal.Seconds(options.RetryAfter);

    /// <summary>The routes: Prometheus's, Mimir's, Thanos's, VictoriaMetrics's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/api/v1/otlp/v1/metrics", "otlp", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/otlp/v1/metrics", "otlp", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/api/v1/otlp", "otlp", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/opentelemetry/v1/metrics", "otlp", AnswerAsync) { Access = RouteAccess.Write },
    ];

    private async Task AnswerAsync(HttpContext context)
    {
        try
        {
            await WriteAsync(context);
        }
        catch (WriteRefusal e)
        {
            await RefuseAsync(context, e.Status, e.Message, e.RetryAfter);
        }
        catch (ShardUnavailableException e)
        {
            LogUnavailable(e.Message);
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, e.Message);
        }
    }

    private async Task WriteAsync(HttpContext context)
    {
        var progress = cluster.Progress;
        if (!progress.IsReady)
        {
            throw WriteRefusal.Busy(HealthEndpoints.Describe(progress));
        }

        if (!tenants.TryResolve(context, out var tenant, out var status, out var error))
        {
            throw new WriteRefusal(status, error);
        }

        var isJson = OtlpMediaType.IsJson(context.Request.Headers);
        var isGzip = OtlpMediaType.IsGzip(context.Request.Headers);
        using var body = new WriteBody(budget, options);
        limits.AdmitRequest(tenant, context.Request.ContentLength);
        await body.ReadAsync(context.Request, context.RequestAborted);
        limits.AdmitSize(tenant, body.SentBytes);
        if (isGzip)
        {
            body.Inflate();
        }
        else
        {
            body.KeepAsSent();
        }

        using var converted = isJson ? Convert(body) : null;
        var translator = translators.Take();

        // Not tied to the client's presence: a half-appended request is what retries are for, but finishing it is cheaper.
        var (outcome, series) = await appender.AppendAsync(tenant, translator.Reader, converted?.WrittenMemory ?? body.Message, CancellationToken.None);
        var points = translator.Points;
        translators.Return(translator);
        instruments.OnWritten(tenant, series, outcome.Accepted, body.SentBytes);
        limits.UsageOf(tenant).OnWritten(outcome.Accepted, outcome.Rejected, body.SentBytes);
        await AnswerAsync(context, tenant, isJson, outcome, points);
    }

    /// <summary>Turns JSON into protobuf. What is honest gets shorter by that, but for long runs of one-digit counts.</summary>
    private ProtobufWriter Convert(WriteBody body)
    {
        var most = Math.Min(options.MaxDecompressed.Bytes, (2L * body.Message.Length) + 1024);
        body.Reserve(2 * most);
        var converted = new ProtobufWriter();
        try
        {
            OtlpJson.Convert(body.Message.Span, converted, (int)most);
            return converted;
        }
        catch (WireFormatException e)
        {
            converted.Dispose();
            throw e.Error == WireError.TooLarge ? WriteRefusal.TooLarge("request body as protobuf", most, options.MaxDecompressed) : WriteRefusal.Malformed(e.Message);
        }
    }

    private Task AnswerAsync(HttpContext context, TenantId tenant, bool isJson, WriteOutcome outcome, long points)
    {
        foreach (var rejection in outcome.Rejections)
        {
            instruments.OnRejected(tenant, rejection.Reason, rejection.Count);
        }

        // A histogram is one data point and many samples.
        var message = outcome.Rejections.Count == 0 ? "" : RejectionText.Of(outcome.Rejections, outcome.Accepted, tenant, limits.Limits.Of(tenant)).TrimEnd();
        return AnswerAsync(context, StatusCodes.Status200OK, isJson, OtlpResponse.Success(isJson, Math.Min(points, outcome.Rejected), message));
    }

    private Task RefuseAsync(HttpContext context, int status, string message, TimeSpan? wait = null)
    {
        if (status is StatusCodes.Status503ServiceUnavailable or StatusCodes.Status429TooManyRequests)
        {
            context.Response.Headers.RetryAfter = wait is { } known ? WriteRefusal.Seconds(known) : retryAfter;
        }

        var isJson = context.Request.ContentType?.StartsWith(OtlpMediaType.Json, StringComparison.OrdinalIgnoreCase) == true;
        return AnswerAsync(context, status, isJson, OtlpResponse.Status(isJson, CodeOf(status), message));
    }

    private static Task AnswerAsync(HttpContext context, int status, bool isJson, byte[] body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = isJson ? OtlpMediaType.Json : OtlpMediaType.Protobuf;
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    /// <summary>gRPC's code that says what the status says.</summary>
    private static int CodeOf(int status) => status switch
    {
        StatusCodes.Status400BadRequest or StatusCodes.Status415UnsupportedMediaType => 3,
        StatusCodes.Status401Unauthorized => 16,
        StatusCodes.Status403Forbidden => 7,
        StatusCodes.Status413PayloadTooLarge or StatusCodes.Status429TooManyRequests => 8,
        StatusCodes.Status503ServiceUnavailable => 14,
        _ => 2,
    };
}
