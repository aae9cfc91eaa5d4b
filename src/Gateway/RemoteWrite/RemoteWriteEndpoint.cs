using System.Globalization;
using Metrics.Cluster;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Takes remote writes (1.0 and 2.0). What is cheapest to refuse is refused first: readiness, tenant, media type, size, memory; only then the body is read.</summary>
/// <remarks>
/// 204 when every sample is durable; 202 when the request is that of a replica that is not elected, and nothing is stored; 400 when some were refused for good (the rest is stored) or the body is no
/// message; 413 and 415 as named; 429 with Retry-After when a rate of the tenant is exceeded (nothing of that tenant is stored) or series are refused for no other reason than that it has too many (the rest is stored);
/// 503 with Retry-After when the sender should come back, which is safe since appending a known sample is a no-op. 500 is a bug.
/// </remarks>
internal sealed class RemoteWriteEndpoint(WriteIntake intake, bool saysConflict, ILogger<RemoteWriteEndpoint> logger)
{
    /// <summary>The routes: Prometheus's, Thanos's, Mimir's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        Route("/api/v1/write"),
        Route("/api/v1/receive"),
        Route("/api/v1/push"),
    ];

    // Remote write 2.0 wants the counts with every answer: without them a sender takes us for a receiver of 1.0 that ignored what it did not know.
    private HttpRoute Route(string path) =>
        new(HttpRoute.Post, path, "write", AnswerAsync) { Access = RouteAccess.Write, SetHeaders = static headers => SetWritten(headers, 0, 0, 0) };

    private Task AnswerAsync(HttpContext context) => WriteIntake.AnswerAsync(context, "write", WriteAsync, RefuseAsync, logger);

    private async Task WriteAsync(HttpContext context)
    {
        var tenant = intake.Admit(context);
        var protocol = WriteMediaType.Of(context.Request.Headers);
        using var body = await intake.ReadAsync(context, tenant, WriteCompression.Snappy);
        var (outcome, refusals) = await intake.AppendAsync(Caller.Of(context), tenant, WriteAppender.ReaderOf(protocol), body.Message, body.SentBytes);
        SetWritten(context.Response.Headers, outcome);
        if (outcome.Rejections.Count == 0)
        {
            context.Response.StatusCode = RejectionText.StatusOf(outcome);
            return;
        }

        var status = saysConflict && RejectionText.IsConflict(outcome.Rejections) ? StatusCodes.Status409Conflict : RejectionText.StatusOf(outcome);
        intake.SetRetryAfter(context, status);
        await PlainText.AnswerAsync(context, status, refusals + "\n");
    }

    private static void SetWritten(IHeaderDictionary headers, WriteOutcome stored) =>
        SetWritten(headers, stored.Accepted - stored.AcceptedHistograms, stored.AcceptedHistograms, stored.AcceptedExemplars);

    private static void SetWritten(IHeaderDictionary headers, int samples, int histograms, int exemplars)
    {
        headers["X-Prometheus-Remote-Write-Samples-Written"] = samples.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Histograms-Written"] = histograms.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Exemplars-Written"] = exemplars.ToString(CultureInfo.InvariantCulture);
    }

    private Task RefuseAsync(HttpContext context, WriteRefusal refusal)
    {
        if (refusal.Stored is { } stored)
        {
            SetWritten(context.Response.Headers, stored);
        }

        intake.SetRetryAfter(context, refusal.Status, refusal.RetryAfter);
        return PlainText.AnswerAsync(context, refusal.Status, refusal.Message + "\n");
    }
}
