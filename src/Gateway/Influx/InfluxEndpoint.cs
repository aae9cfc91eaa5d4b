using System.Globalization;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Health;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tenancy;

namespace Metrics.Gateway.Influx;

/// <summary>Takes points in InfluxDB's line protocol.</summary>
/// <remarks>
/// 204 when every sample is durable; 202 when the request is that of a replica that is not elected; 400 when lines were wrong or samples refused for good (the rest is stored), and the message names the first line; 413 and 415 as named; 503 with Retry-After when the sender should
/// come back. Errors are JSON as InfluxDB's.
/// </remarks>
internal sealed partial class InfluxEndpoint(
    ICluster cluster, TenantResolver tenants, WriteAppender appender, InfluxOptions influx, RemoteWriteOptions options, ByteBudget budget, GatewayInstruments instruments, TimeProvider time, ILogger<InfluxEndpoint> logger)
{
    private readonly string retryAfter = ((long)Math.Ceiling(options.RetryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

    /// <summary>The routes: Mimir's, VictoriaMetrics's, InfluxDB's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/api/v1/push/influx/write", "influx", AnswerAsync),
        new(HttpRoute.Post, "/influx/write", "influx", AnswerAsync),
        new(HttpRoute.Post, "/write", "influx", AnswerAsync),
        new(HttpRoute.Post, "/influx/api/v2/write", "influx", AnswerAsync),
        new(HttpRoute.Post, "/api/v2/write", "influx", AnswerAsync),
    ];

    private async Task AnswerAsync(HttpContext context)
    {
        try
        {
            await WriteAsync(context);
        }
        catch (WriteRefusal e)
        {
            await RefuseAsync(context, e.Status, e.Message);
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

        if (!tenants.TryResolve(context.Request.Headers, out var tenant, out var status, out var error))
        {
            throw new WriteRefusal(status, error);
        }

        var query = context.Request.Query;
        if (!InfluxPrecision.TryParse(query["precision"].ToString(), out var precision))
        {
            throw WriteRefusal.Malformed($"invalid precision \"{query["precision"]}\"; allowed is {InfluxPrecision.Allowed}");
        }

        using var body = new WriteBody(budget, options);
        var isGzip = IsGzip(context.Request.Headers);
        await body.ReadAsync(context.Request, context.RequestAborted);
        if (isGzip)
        {
            body.Inflate();
        }
        else
        {
            body.KeepAsSent();
        }

        var database = query["db"].ToString() is { Length: > 0 } db ? db : query["bucket"].ToString();
        var write = new InfluxWrite(influx, precision, database, time.GetUtcNow().ToUnixTimeMilliseconds());

        // Not tied to the client's presence: a half-appended request is what retries are for, but finishing it is cheaper.
        var (outcome, series) = await appender.AppendAsync(tenant, write.Read, body.Message, CancellationToken.None);
        instruments.OnWritten(tenant, series, outcome.Accepted, body.SentBytes);
        foreach (var rejection in outcome.Rejections)
        {
            instruments.OnRejected(tenant, rejection.Reason, rejection.Count);
        }

        if (write.BadLines == 0 && outcome.Rejections.Count == 0)
        {
            context.Response.StatusCode = outcome.IsShut ? StatusCodes.Status202Accepted : StatusCodes.Status204NoContent;
            return;
        }

        await RefuseAsync(context, StatusCodes.Status400BadRequest, TextOf(write, outcome));
    }

    private static bool IsGzip(IHeaderDictionary headers) => headers.ContentEncoding.ToString() switch
    {
        "" or "identity" => false,
        "gzip" or "x-gzip" => true,
        var other => throw new WriteRefusal(StatusCodes.Status415UnsupportedMediaType, $"content encoding \"{other}\" is not accepted; only gzip and identity are"),
    };

    private static string TextOf(InfluxWrite write, WriteOutcome outcome)
    {
        var lines = write.BadLines == 0 ? "" : $"partial write: {write.BadLines} lines could not be read, first {write.FirstError}";
        var samples = outcome.Rejections.Count == 0 ? "" : "partial write: " + RejectionText.Of(outcome.Rejections, outcome.Accepted).TrimEnd();
        return string.Join("; ", new[] { lines, samples }.Where(t => t.Length > 0));
    }

    private Task RefuseAsync(HttpContext context, int status, string message)
    {
        if (status is StatusCodes.Status503ServiceUnavailable or StatusCodes.Status429TooManyRequests)
        {
            context.Response.Headers.RetryAfter = retryAfter;
        }

        // InfluxDB 1 has "error", 2 has "code" and "message".
        var body = JsonSerializer.SerializeToUtf8Bytes(new { error = message, code = CodeOf(status), message });
        context.Response.StatusCode = status;
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
