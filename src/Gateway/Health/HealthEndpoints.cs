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
        var asOpenMetrics = WantsOpenMetrics(context.Request);
        context.Response.ContentType = asOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
        context.Response.Headers.Append("Vary", "Accept");
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            registry.Write(context.Response.BodyWriter, asOpenMetrics);
            await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        }
    }

    /// <summary>True when OpenMetrics 1.0 is accepted, and not less gladly than text.</summary>
    private static bool WantsOpenMetrics(HttpRequest request)
    {
        var (open, text) = (0.0, 0.0);
        foreach (var range in request.GetTypedHeaders().Accept)
        {
            var quality = range.Quality ?? 1;
            if (range.MediaType.Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase))
            {
                var version = range.Parameters.FirstOrDefault(static p => p.Name.Equals("version", StringComparison.OrdinalIgnoreCase))?.Value.Value?.Trim('"');
                open = version is null or "1.0.0" ? Math.Max(open, quality) : open;
            }
            else if (range.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
            {
                text = Math.Max(text, quality);
            }
        }

        return open > 0 && open >= text;
    }
}
