using System.Globalization;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Health;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tenancy;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Takes remote writes (1.0 and 2.0). What is cheapest to refuse is refused first: readiness, tenant, media type, size, memory; only then the body is read.</summary>
/// <remarks>
/// 204 when every sample is durable; 400 when some were refused for good (the rest is stored) or the body is no message; 413 and 415 as named; 429 with Retry-After when a rate of the tenant is
/// exceeded (nothing is stored) or series are refused because it has too many (the rest is stored);
/// 503 with Retry-After when the sender should come back, which is safe since appending a known sample is a no-op. 500 is a bug.
/// </remarks>
internal sealed partial class RemoteWriteEndpoint(
    ICluster cluster, TenantResolver tenants, WriteAppender appender, SplitAppender? split, RemoteWriteOptions options, ByteBudget budget, IngestLimits limits, GatewayInstruments instruments, ILogger<RemoteWriteEndpoint> logger)
{
    private readonly string retryAfter = WriteRefusal.Seconds(options.RetryAfter);

    /// <summary>The routes: Prometheus's, Thanos's, Mimir's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/api/v1/write", "write", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/api/v1/receive", "write", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/api/v1/push", "write", AnswerAsync) { Access = RouteAccess.Write },
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

        var protocol = WriteMediaType.Of(context.Request.Headers);
        using var body = new WriteBody(budget, options);
        limits.AdmitRequest(tenant, context.Request.ContentLength);
        await body.ReadAsync(context.Request, context.RequestAborted);
        limits.AdmitSize(tenant, body.SentBytes);
        body.Decompress();

        // Not tied to the client's presence: a half-appended request is what retries are for, but finishing it is cheaper.
        if (split is not null)
        {
            await AnswerAsync(context, tenant, await split.AppendAsync(Caller.Of(context), tenant, protocol, body.Message, body.SentBytes));
            return;
        }

        var (outcome, series) = await appender.AppendAsync(tenant, protocol, body.Message, CancellationToken.None);
        instruments.OnWritten(tenant, series, outcome.Accepted, body.SentBytes);
        foreach (var rejection in outcome.Rejections)
        {
            instruments.OnRejected(tenant, rejection.Reason, rejection.Count);
        }

        limits.UsageOf(tenant).OnWritten(outcome.Accepted, outcome.Rejected, body.SentBytes);
        await AnswerAsync(context, tenant, outcome);
    }

    private Task AnswerAsync(HttpContext context, TenantId tenant, WriteOutcome outcome)
    {
        SetWritten(context.Response.Headers, outcome.Accepted - outcome.AcceptedHistograms, outcome.AcceptedHistograms, outcome.AcceptedExemplars);
        if (outcome.Rejections.Count == 0)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        }

        var bounds = limits.Limits.Of(tenant);
        var isFull = RejectionText.IsFull(outcome.Rejections);
        if (isFull)
        {
            context.Response.Headers.RetryAfter = retryAfter;
        }

        return PlainText.AnswerAsync(context, isFull ? StatusCodes.Status429TooManyRequests : StatusCodes.Status400BadRequest, RejectionText.Of(outcome.Rejections, outcome.Accepted, tenant, bounds));
    }

    private static void SetWritten(IHeaderDictionary headers, int samples, int histograms, int exemplars)
    {
        headers["X-Prometheus-Remote-Write-Samples-Written"] = samples.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Histograms-Written"] = histograms.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Exemplars-Written"] = exemplars.ToString(CultureInfo.InvariantCulture);
    }

    private Task RefuseAsync(HttpContext context, int status, string message, TimeSpan? wait = null)
    {
        // Remote write 2.0 wants them with every answer: without them a sender takes us for a receiver of 1.0 that ignored what it did not know.
        SetWritten(context.Response.Headers, 0, 0, 0);
        if (status is StatusCodes.Status503ServiceUnavailable or StatusCodes.Status429TooManyRequests)
        {
            context.Response.Headers.RetryAfter = wait is { } known ? WriteRefusal.Seconds(known) : retryAfter;
        }

        return PlainText.AnswerAsync(context, status, message + "\n");
    }
}
