using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>format_query</c> and <c>parse_query</c>.</summary>
internal sealed class ParseEndpoints(ApiEndpoint endpoint, ParseOptions parsing)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.GetPost, "/api/v1/format_query", "format_query", endpoint.Of(FormatAsync, needsData: false)) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/parse_query", "parse_query", endpoint.Of(ParseAsync, needsData: false)) { Access = RouteAccess.Read },
    ];

    private ValueTask<ApiAnswer> FormatAsync(ApiRequest request)
    {
        var pretty = QueryText.Pretty(request.Parameters["query"], parsing);
        return ValueTask.FromResult(ApiAnswer.Small(writer => JsonFields.String(writer, pretty)));
    }

    private ValueTask<ApiAnswer> ParseAsync(ApiRequest request)
    {
        var tree = QueryText.TreeJson(request.Parameters["query"], parsing);
        return ValueTask.FromResult(ApiAnswer.Small(writer => JsonFields.Raw(writer, tree)));
    }
}
