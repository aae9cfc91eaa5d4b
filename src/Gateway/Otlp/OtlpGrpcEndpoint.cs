using System.Globalization;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Wire;
using Microsoft.AspNetCore.Http.Features;

namespace Metrics.Gateway.Otlp;

/// <summary>Takes metrics over OTLP/gRPC.</summary>
/// <remarks>
/// It is one call with one message each way, which needs no more of gRPC than HTTP/2 has: a message comes and goes behind a byte that says whether it is compressed and four with its length, and the outcome
/// is in the trailers. Codes are those that OTLP tells senders by whether to repeat: UNAVAILABLE, with a time, for what is to come again. Who calls is asked as for any route.
/// Rules: grpc/grpc doc/PROTOCOL-HTTP2.md; opentelemetry.io/docs/specs/otlp, OTLP/gRPC.
/// </remarks>
internal sealed class OtlpGrpcEndpoint(WriteIntake intake, OtlpTranslators translators, ILogger<OtlpGrpcEndpoint> logger)
{
    private const string ContentType = "application/grpc";

    /// <summary>Characters of a message to the sender; headers have bounds.</summary>
    private const int MaxMessage = 1000;

    /// <summary>The route.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Post, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "otlp_grpc", AnswerAsync) { Access = RouteAccess.Write }];

    private Task AnswerAsync(HttpContext context) =>
        context.Request.ContentType?.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase) == true && context.Features.Get<IHttpResponseTrailersFeature>() is not null && HttpProtocol.IsHttp2(context.Request.Protocol)
            ? WriteIntake.AnswerAsync(context, "OTLP/gRPC write", WriteAsync, RefuseAsync, logger)
            : PlainText.AnswerAsync(context, StatusCodes.Status415UnsupportedMediaType, "this is a call of gRPC, which needs HTTP/2 (otlp.grpc_listen) and the content type application/grpc\n");

    private async Task WriteAsync(HttpContext context)
    {
        var tenant = intake.Admit(context);
        var compression = context.Request.Headers["grpc-encoding"].ToString() switch
        {
            "" or "identity" => WriteCompression.None,
            "gzip" => WriteCompression.Gzip,
            var other => throw new WriteRefusal(StatusCodes.Status415UnsupportedMediaType, $"grpc-encoding \"{other}\" is not accepted; only gzip and identity are"),
        };
        using var body = await intake.ReadAsync(context, tenant, compression, isFramed: true);
        var translator = translators.Take();
        var (outcome, refusals) = await intake.AppendAsync(Caller.Of(context), tenant, translator.Reader, body.Message, body.SentBytes);
        var points = translator.Points;
        translators.Return(translator);

        var message = OtlpResponse.Success(asJson: false, Math.Min(points, outcome.Rejected), refusals);
        var framed = new byte[WriteBody.FrameBytes + message.Length];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), message.Length);
        message.CopyTo(framed, WriteBody.FrameBytes);
        context.Response.ContentType = ContentType;
        await context.Response.Body.WriteAsync(framed, context.RequestAborted);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    /// <summary>A refusal has no message, and what else would be trailers comes at once.</summary>
    private Task RefuseAsync(HttpContext context, WriteRefusal refusal)
    {
        var code = CodeOf(refusal.Status);
        var text = refusal.Message.Length <= MaxMessage ? refusal.Message : refusal.Message[..MaxMessage];
        var headers = context.Response.Headers;
        context.Response.ContentType = ContentType;
        headers["grpc-status"] = code.ToString(CultureInfo.InvariantCulture);
        headers["grpc-message"] = Uri.EscapeDataString(text);
        headers["grpc-accept-encoding"] = "identity,gzip";
        if (refusal.IsForNow)
        {
            var wait = intake.RetryAfter(refusal.RetryAfter);
            headers["grpc-status-details-bin"] = Convert.ToBase64String(OtlpResponse.Status(code, text, wait)).TrimEnd('=');
        }

        return Task.CompletedTask;
    }

    private static int CodeOf(int status) => status switch
    {
        StatusCodes.Status400BadRequest => 3, // INVALID_ARGUMENT
        StatusCodes.Status401Unauthorized => 16, // UNAUTHENTICATED
        StatusCodes.Status403Forbidden => 7, // PERMISSION_DENIED
        StatusCodes.Status413PayloadTooLarge => 8, // RESOURCE_EXHAUSTED, without a time: not again
        StatusCodes.Status415UnsupportedMediaType => 12, // UNIMPLEMENTED
        StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable => 14, // UNAVAILABLE
        _ => 13, // INTERNAL
    };
}
