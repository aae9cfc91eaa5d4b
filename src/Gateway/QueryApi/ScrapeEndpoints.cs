using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>targets</c>, <c>scrape_pools</c>, what is below them, and <c>notifications</c>: nothing is scraped here, and clients that ask get the shape of nothing.</summary>
internal sealed class ScrapeEndpoints(ApiEndpoint endpoint)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        Fixed("targets", """{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"""),
        Fixed("targets/metadata", "[]"),
        NoPool("targets/relabel_steps", "labels"),
        NoPool("scrape_pools/config"),
        Fixed("scrape_pools", """{"scrapePools":[]}"""),
        Fixed("notifications", "[]"),
    ];

    /// <summary>Asks about one pool, and there is none.</summary>
    private HttpRoute NoPool(string path, params string[] more) => Route(path, request =>
    {
        foreach (var name in new[] { "scrapePool" }.Concat(more))
        {
            if (request.Parameters[name].Length == 0)
            {
                throw new ApiException(ApiErrorType.BadData, $"no {name} parameter provided");
            }
        }

        throw new ApiException(ApiErrorType.BadData, $"error retrieving scrape config: scrape pool \"{request.Parameters["scrapePool"]}\" not found");
    });

    private HttpRoute Fixed(string path, string data)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(data);
        return Route(path, _ => ValueTask.FromResult(ApiAnswer.Small(to => JsonFields.Raw(to, bytes))));
    }

    private HttpRoute Route(string path, ApiHandler answer) =>
        new(HttpRoute.Get, "/api/v1/" + path, path.Replace('/', '_'), endpoint.Of(answer, needsData: false)) { Access = RouteAccess.Read };
}
