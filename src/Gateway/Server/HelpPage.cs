using System.Net;
using System.Text;
using Metrics.Gateway.Security;

namespace Metrics.Gateway.Server;

/// <summary>The page at <c>/</c>: what runs here and where its parts are.</summary>
internal static class HelpPage
{
    private static readonly (string Path, string About)[] Links =
    [
        ("/-/ready", "whether it serves, and how far the start is"),
        ("/metrics", "metrics about itself"),
        ("/api/v1/query?query=up", "an instant query"),
        ("/api/v1/labels", "the names of all labels"),
        ("/api/v1/metadata", "metadata of metrics"),
        ("/api/v1/status/config", "the configuration in force"),
        ("/api/v1/status/buildinfo", "the version"),
    ];

    /// <summary>The route.</summary>
    public static HttpRoute Route { get; } = new(HttpRoute.GetHead, "/", "help", AnswerAsync) { Access = RouteAccess.Open };

    private static Task AnswerAsync(HttpContext context)
    {
        var host = WebUtility.HtmlEncode(context.Request.Host.HasValue ? context.Request.Host.Value! : "127.0.0.1:10902");
        var page = new StringBuilder("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Metrics</title>")
            .Append("<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}pre{background:#f2f2f2;padding:.75rem;overflow:auto}</style></head><body>")
            .Append($"<h1>Metrics {BuildVersion.Own}</h1><p>A multi-tenant Prometheus backend: remote write in, PromQL out.</p>")
            .Append($"<p>Send samples, in <code>prometheus.yml</code>:</p><pre>remote_write:\n  - url: http://{host}/api/v1/write</pre>")
            .Append($"<p>Ask, or add <code>http://{host}</code> to Grafana as a Prometheus data source:</p><pre>curl 'http://{host}/api/v1/query?query=up'</pre><ul>");
        foreach (var (path, about) in Links)
        {
            page.Append($"<li><a href=\"{path}\">{path}</a>: {about}</li>");
        }

        var bytes = Encoding.UTF8.GetBytes(page.Append("</ul></body></html>\n").ToString());
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = bytes.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }
}
