using System.Text.Json;
using Metrics.Gateway.Otlp;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.Influx;

/// <summary>Takes points in InfluxDB's line protocol.</summary>
/// <remarks>
/// 204 when every sample is durable; 202 when the request is that of a replica that is not elected; 400 when lines were wrong or samples refused for good (the rest is stored), and the message names the first line; 413 and 415 as named; 503 with Retry-After when the sender should
/// come back. Errors are JSON as InfluxDB's.
/// </remarks>
internal sealed class InfluxEndpoint(WriteIntake intake, InfluxOptions options, TimeProvider time, ILogger<InfluxEndpoint> logger)
{
    /// <summary>The routes: Mimir's, VictoriaMetrics's, InfluxDB's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/api/v1/push/influx/write", "influx", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/influx/write", "influx", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/write", "influx", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/influx/api/v2/write", "influx", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/api/v2/write", "influx", AnswerAsync) { Access = RouteAccess.Write },
    ];

    private Task AnswerAsync(HttpContext context) => WriteIntake.AnswerAsync(context, "Influx write", WriteAsync, RefuseAsync, logger);

    private async Task WriteAsync(HttpContext context)
    {
        var tenant = intake.Admit(context);
        var query = context.Request.Query;
        if (!InfluxPrecision.TryParse(query["precision"].ToString(), out var precision))
        {
            throw WriteRefusal.Malformed($"invalid precision \"{query["precision"]}\"; allowed is {InfluxPrecision.Allowed}");
        }

        var database = query["db"].ToString() is { Length: > 0 } db ? db : query["bucket"].ToString();
        using var body = await intake.ReadAsync(context, tenant, OtlpMediaType.CompressionOf(context.Request.Headers));
        var write = new InfluxWrite(options, precision, database, time.GetUtcNow().ToUnixTimeMilliseconds());
        var (outcome, refusals) = await intake.AppendAsync(Caller.Of(context), tenant, write.Read, body.Message, body.SentBytes);
        var status = RejectionText.StatusOf(outcome, write.BadLines > 0);
        if (status < StatusCodes.Status400BadRequest)
        {
            context.Response.StatusCode = status;
            return;
        }

        await RefuseAsync(context, new WriteRefusal(status, TextOf(write, refusals)));
    }

    private static string TextOf(InfluxWrite write, string refused)
    {
        var lines = write.BadLines == 0 ? "" : $"partial write: {write.BadLines} lines could not be read, first {write.FirstError}";
        var samples = refused.Length == 0 ? "" : "partial write: " + refused;
        return string.Join("; ", new[] { lines, samples }.Where(t => t.Length > 0));
    }

    private Task RefuseAsync(HttpContext context, WriteRefusal refusal)
    {
        intake.SetRetryAfter(context, refusal.Status, refusal.RetryAfter);

        // InfluxDB 1 has "error", 2 has "code" and "message".
        var body = JsonSerializer.SerializeToUtf8Bytes(new { error = refusal.Message, code = CodeOf(refusal.Status), message = refusal.Message });
        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    private static string CodeOf(int status) => status switch
    {
        StatusCodes.Status400BadRequest => "invalid",
        StatusCodes.Status401Unauthorized => "unauthorized",
        StatusCodes.Status403Forbidden => "forbidden",
        StatusCodes.Status413PayloadTooLarge => "request too large",
        StatusCodes.Status415UnsupportedMediaType => "unsupported media type",
        StatusCodes.Status429TooManyRequests => "too many requests",
        StatusCodes.Status503ServiceUnavailable => "unavailable",
        _ => "internal error",
    };
}
