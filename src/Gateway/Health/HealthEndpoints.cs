using Metrics.Cluster;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;

namespace Metrics.Gateway.Health;

/// <summary>Whether the process lives, whether it serves, and how it is doing.</summary>
internal sealed class HealthEndpoints(ICluster cluster, MetricRegistry registry)
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
        return progress.IsReady
            ? PlainText.AnswerAsync(context, 200, "Metrics is Ready.\n")
            : PlainText.AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, $"Service Unavailable: {Describe(progress)}\n");
    }

    private async Task AnswerMetricsAsync(HttpContext context)
    {
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            registry.Write(context.Response.BodyWriter);
            await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        }
    }
}
