using Metrics.Cluster;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.Operations;

/// <summary>How operators and their programs end the process: Prometheus's <c>/-/quit</c>; Mimir's <c>/ingester/shutdown</c> and <c>/ingester/prepare-shutdown</c>, the latter also as <c>prepare-downscale</c>.</summary>
internal sealed class ShutdownEndpoints(ProcessShutdown shutdown, bool enabled)
{
    private static readonly string[] postPut = ["POST", "PUT"];
    private static readonly string[] getPostDelete = ["GET", "POST", "DELETE"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(postPut, "/-/quit", "quit", context => WhenEnabledAsync(context, QuitAsync)),
        new(HttpRoute.GetPost, "/ingester/shutdown", "shutdown", context => WhenEnabledAsync(context, ShutDownAsync)),
        new(getPostDelete, "/ingester/prepare-shutdown", "prepare_shutdown", context => WhenEnabledAsync(context, PrepareAsync)),
        new(getPostDelete, "/ingester/prepare-downscale", "prepare_shutdown", context => WhenEnabledAsync(context, PrepareAsync)),
    ];

    private Task WhenEnabledAsync(HttpContext context, Func<HttpContext, Task> answer) =>
        enabled ? answer(context) : PlainText.AnswerAsync(context, StatusCodes.Status403Forbidden, "Lifecycle API is not enabled.\n");

    private Task QuitAsync(HttpContext context)
    {
        AskOnceAnswered(context);
        return PlainText.AnswerAsync(context, StatusCodes.Status200OK, "Requesting termination... Goodbye!");
    }

    private async Task ShutDownAsync(HttpContext context)
    {
        try
        {
            await shutdown.EmptyAsync(context.RequestAborted);
        }
        catch (ShardUnavailableException e)
        {
            await PlainText.AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, $"the process goes on: {e.Message}\n");
            return;
        }

        AskOnceAnswered(context);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private Task PrepareAsync(HttpContext context)
    {
        var method = context.Request.Method;
        if (HttpMethods.IsGet(method))
        {
            return PlainText.AnswerAsync(context, StatusCodes.Status200OK, shutdown.IsPrepared ? "set\n" : "unset\n");
        }

        shutdown.Prepare(HttpMethods.IsPost(method));
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private void AskOnceAnswered(HttpContext context) => context.Response.OnCompleted(() =>
    {
        shutdown.Ask();
        return Task.CompletedTask;
    });
}
