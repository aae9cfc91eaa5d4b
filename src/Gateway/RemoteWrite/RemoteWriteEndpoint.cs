using System.Globalization;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Takes remote writes (1.0 and 2.0). What is cheapest to refuse is refused first: readiness, tenant, media type, size, memory; only then the body is read.</summary>
/// <remarks>
/// 204 when every sample is durable; 202 when the request is that of a replica that is not elected, and nothing is stored; 400 when some were refused for good (the rest is stored) or the body is no
/// message; 413 and 415 as named; 429 with Retry-After when a rate of the tenant is exceeded (nothing is stored) or series are refused because it has too many (the rest is stored);
/// 503 with Retry-After when the sender should come back, which is safe since appending a known sample is a no-op. 500 is a bug.
/// </remarks>
internal sealed class RemoteWriteEndpoint(WriteIntake intake, ILogger<RemoteWriteEndpoint> logger)
{
    /// <summary>The routes: Prometheus's, Thanos's, Mimir's.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/api/v1/write", "write", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/api/v1/receive", "write", AnswerAsync) { Access = RouteAccess.Write },
        new(HttpRoute.Post, "/api/v1/push", "write", AnswerAsync) { Access = RouteAccess.Write },
    ];

    private Task AnswerAsync(HttpContext context) => WriteIntake.AnswerAsync(context, "write", WriteAsync, RefuseAsync, logger);

    private async Task WriteAsync(HttpContext context)
    {
        var tenant = intake.Admit(context);
        var protocol = WriteMediaType.Of(context.Request.Headers);
        using var body = await intake.ReadAsync(context, tenant, WriteCompression.Snappy);
        var outcome = await intake.AppendAsync(Caller.Of(context), tenant, WriteAppender.ReaderOf(protocol), body.Message, body.SentBytes);
        SetWritten(context.Response.Headers, outcome.Accepted - outcome.AcceptedHistograms, outcome.AcceptedHistograms, outcome.AcceptedExemplars);
        if (outcome.Rejections.Count == 0)
        {
            context.Response.StatusCode = outcome.IsShut ? StatusCodes.Status202Accepted : StatusCodes.Status204NoContent;
            return;
        }

        var status = RejectionText.IsFull(outcome.Rejections) ? StatusCodes.Status429TooManyRequests : StatusCodes.Status400BadRequest;
        intake.SetRetryAfter(context, status);
        await PlainText.AnswerAsync(context, status, intake.Describe(tenant, outcome));
    }

    private static void SetWritten(IHeaderDictionary headers, int samples, int histograms, int exemplars)
    {
        headers["X-Prometheus-Remote-Write-Samples-Written"] = samples.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Histograms-Written"] = histograms.ToString(CultureInfo.InvariantCulture);
        headers["X-Prometheus-Remote-Write-Exemplars-Written"] = exemplars.ToString(CultureInfo.InvariantCulture);
    }

    private Task RefuseAsync(HttpContext context, int status, string message, TimeSpan? wait)
    {
        // Remote write 2.0 wants them with every answer: without them a sender takes us for a receiver of 1.0 that ignored what it did not know.
        SetWritten(context.Response.Headers, 0, 0, 0);
        intake.SetRetryAfter(context, status, wait);
        return PlainText.AnswerAsync(context, status, message + "\n");
    }
}
