using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>notifications/live</c>: a stream of server-sent events that stays open. There is nothing to be notified of here, so none comes; clients that subscribe find what they expect.</summary>
/// <param name="stopping">Ends all streams.</param>
internal sealed class LiveNotifications(CancellationToken stopping)
{
    /// <summary>Streams open at once; beyond it 204, as Prometheus has it (<c>web.max-notifications-subscribers</c>).</summary>
    public const int StreamsMax = 16;

    private int open;

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Get, "/api/v1/notifications/live", "notifications_live", AnswerAsync) { Access = RouteAccess.Read }];

    private async Task AnswerAsync(HttpContext context)
    {
        if (Interlocked.Increment(ref open) > StreamsMax)
        {
            Interlocked.Decrement(ref open);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        try
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-cache";
            await context.Response.Body.FlushAsync(context.RequestAborted);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = end.Token.Register(ended.SetResult);
            await ended.Task;
        }
        finally
        {
            Interlocked.Decrement(ref open);
        }
    }
}
