using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>Takes metrics over OTLP/HTTP, in protobuf and JSON.</summary>
/// <remarks>
/// 200 when every data point is durable or refused for good; what was refused is counted in <c>partial_success</c>, for a sender is not to repeat it. 400 when the body is no message,
/// 413 and 415 as named, 503 with Retry-After when the sender should come back. Every answer is in the format of the request; failures are a <c>google.rpc.Status</c>.
/// Rules: opentelemetry.io/docs/specs/otlp, OTLP/HTTP Response.
/// </remarks>
internal sealed class OtlpEndpoint(WriteIntake intake, OtlpTranslators translators, ILogger<OtlpEndpoint> logger)
{
    /// <summary>The routes: Prometheus's, Mimir's, Thanos's, VictoriaMetrics's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/api/v1/otlp/v1/metrics", "otlp", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/otlp/v1/metrics", "otlp", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/api/v1/otlp", "otlp", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/opentelemetry/v1/metrics", "otlp", AnswerAsync) { Access = RouteAccess.Write },
    ];

    private Task AnswerAsync(HttpContext context) => WriteIntake.AnswerAsync(context, "OTLP write", WriteAsync, RefuseAsync, logger);

    private async Task WriteAsync(HttpContext context)
    {
        var tenant = intake.Admit(context);
        var isJson = OtlpMediaType.IsJson(context.Request.Headers);
        using var body = await intake.ReadAsync(context, tenant, OtlpMediaType.CompressionOf(context.Request.Headers));
        using var converted = isJson ? Convert(body) : null;
        var translator = translators.Take();
        var (outcome, refusals) = await intake.AppendAsync(Caller.Of(context), tenant, translator.Reader, converted?.WrittenMemory ?? body.Message, body.SentBytes);
        var points = translator.Points;
        translators.Return(translator);

        // A histogram is one data point and many samples.
        await AnswerAsync(context, StatusCodes.Status200OK, isJson, OtlpResponse.Success(isJson, Math.Min(points, outcome.Rejected), refusals));
    }

    /// <summary>Turns JSON into protobuf. What is honest gets shorter by that, but for long runs of one-digit counts.</summary>
    private ProtobufWriter Convert(WriteBody body)
    {
        var most = Math.Min(intake.MaxMessage.Bytes, (2L * body.Message.Length) + 1024);
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
            throw e.Error == WireError.TooLarge ? WriteRefusal.TooLarge("request body as protobuf", most, "max_decompressed", intake.MaxMessage) : WriteRefusal.Malformed(e.Message);
        }
    }

    private Task RefuseAsync(HttpContext context, WriteRefusal refusal)
    {
        intake.SetRetryAfter(context, refusal.Status, refusal.RetryAfter);
        var isJson = context.Request.ContentType?.StartsWith(OtlpMediaType.Json, StringComparison.OrdinalIgnoreCase) == true;
        return AnswerAsync(context, refusal.Status, isJson, OtlpResponse.Status(isJson, CodeOf(refusal.Status), refusal.Message));
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
