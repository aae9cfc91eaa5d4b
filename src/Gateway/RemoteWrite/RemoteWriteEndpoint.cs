using System.Globalization;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Health;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tenancy;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Takes remote writes (1.0 and 2.0). What is cheapest to refuse is refused first: readiness, tenant, media type, size, memory; only then the body is read.</summary>
/// <remarks>
/// 204 when every sample is durable; 202 when the request is that of a replica that is not elected, and nothing is stored; 400 when some were refused for good (the rest is stored) or the body is no message; 413 and 415 as named;
/// 503 with Retry-After when the sender should come back, which is safe since appending a known sample is a no-op. 500 is a bug.
/// </remarks>
internal sealed partial class RemoteWriteEndpoint(
    ICluster cluster, TenantResolver tenants, WriteAppender appender, RemoteWriteOptions options, ByteBudget budget, GatewayInstruments instruments, ILogger<RemoteWriteEndpoint> logger)
{
    private readonly string retryAfter = ((long)Math.Ceiling(options.RetryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

    /// <summary>The routes: Prometheus's, Thanos's, Mimir's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/api/v1/write", "write", AnswerAsync),
        new(HttpRoute.Post, "/api/v1/receive", "write", AnswerAsync),
        new(HttpRoute.Post, "/api/v1/push", "write", AnswerAsync),
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

        var protocol = WriteMediaType.Of(context.Request.Headers);
        using var body = new WriteBody(budget, options);
        await body.ReadAsync(context.Request, context.RequestAborted);
        body.Decompress();

        // Not tied to the client's presence: a half-appended request is what retries are for, but finishing it is cheaper.
        var (outcome, series) = await appender.AppendAsync(tenant, protocol, body.Message, CancellationToken.None);
        instruments.OnWritten(tenant, series, outcome.Accepted, body.SentBytes);
        await AnswerAsync(context, tenant, outcome);
    }

    private Task AnswerAsync(HttpContext context, TenantId tenant, WriteOutcome outcome)
    {
        SetWritten(context.Response.Headers, outcome.Accepted - outcome.AcceptedHistograms, outcome.AcceptedHistograms, outcome.AcceptedExemplars);
        if (outcome.Rejections.Count == 0)
        {
            context.Response.StatusCode = outcome.IsShut ? StatusCodes.Status202Accepted : StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        }

        foreach (var rejection in outcome.Rejections)
        {
            instruments.OnRejected(tenant, rejection.Reason, rejection.Count);
        }

        return PlainText.AnswerAsync(context, StatusCodes.Status400BadRequest, RejectionText.Of(outcome.Rejections, outcome.Accepted));
    }

    private static void SetWritten(IHeaderDictionary headers, int samples, int histograms, int exemplars)
    {
        headers["X-Prometheus-Remote-Write-Samples-Written"] = samples.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Histograms-Written"] = histograms.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Exemplars-Written"] = exemplars.ToString(CultureInfo.InvariantCulture);
    }

    private Task RefuseAsync(HttpContext context, int status, string message)
    {
        // Remote write 2.0 wants them with every answer: without them a sender takes us for a receiver of 1.0 that ignored what it did not know.
        SetWritten(context.Response.Headers, 0, 0, 0);
        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = retryAfter;
        }

        return PlainText.AnswerAsync(context, status, message + "\n");
    }
}
