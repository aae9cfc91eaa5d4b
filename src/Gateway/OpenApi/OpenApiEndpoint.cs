using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.OpenApi;

/// <summary><c>openapi.yaml</c>: what is served, for tools that make clients. OpenAPI 3.1, whatever <c>openapi_version</c> asks for.</summary>
/// <param name="routes">All that is served, this route too; asked for with the first request.</param>
/// <param name="prefix">What stands before every path.</param>
internal sealed class OpenApiEndpoint(Func<IReadOnlyList<HttpRoute>> routes, string prefix)
{
    private readonly Lazy<string> document = new(() => OpenApiDocument.Write(routes(), prefix));

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Get, "/api/v1/openapi.yaml", "openapi", AnswerAsync) { Access = RouteAccess.Read }];

    private Task AnswerAsync(HttpContext context)
    {
        context.Response.ContentType = "application/yaml; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache, no-store, must-revalidate";
        return context.Response.WriteAsync(document.Value, context.RequestAborted);
    }
}
