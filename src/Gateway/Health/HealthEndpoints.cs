using Metrics.Cluster;
using Metrics.Gateway.Operations;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;

namespace Metrics.Gateway.Health;

/// <summary>Whether the process lives, whether it serves, and how it is doing.</summary>
internal sealed class HealthEndpoints(ICluster cluster, MetricRegistry registry, ProcessShutdown shutdown)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.GetHead, "/-/healthy", "healthy", context => PlainText.AnswerAsync(context, 200, "Metrics is Healthy.\n")) { Access = RouteAccess.Open },
        new(HttpRoute.GetHead, "/-/ready", "ready", AnswerReadyAsync) { Access = RouteAccess.Open },
        new(HttpRoute.GetHead, "/ready", "ready", AnswerReadyAsync) { Access = RouteAccess.Open },
        new(HttpRoute.GetHead, "/metrics", "metrics", AnswerMetricsAsync),
    ];

    /// <summary>Replay progress in words, for whoever has to wait.</summary>
    public static string Describe(ReplayProgress progress) =>
        $"replaying logs: {progress.ReplayedShards} of {progress.TotalShards} shards, {progress.ReplayedBytes} of {progress.TotalBytes} bytes";

    private Task AnswerReadyAsync(HttpContext context)
    {
        var progress = cluster.Progress;
        return shutdown.IsEnding
            ? PlainText.AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, "Service Unavailable: the process is about to end\n")
            : progress.IsReady
            ? PlainText.AnswerAsync(context, 200, "Metrics is Ready.\n")
            : PlainText.AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, $"Service Unavailable: {Describe(progress)}\n");
    }

    private async Task AnswerMetricsAsync(HttpContext context)
    {
        var format = ExpositionChoice.Of(context.Request);
        context.Response.ContentType = ExpositionChoice.ContentType(format);
        context.Response.Headers.Append("Vary", "Accept");
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            registry.Write(context.Response.BodyWriter, format);
            await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        }
    }
}
