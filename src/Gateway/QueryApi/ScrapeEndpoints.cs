using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>targets</c>, <c>targets/metadata</c>, <c>scrape_pools</c>, <c>notifications</c>: nothing is scraped here, and clients that ask get the shape of nothing.</summary>
internal sealed class ScrapeEndpoints(ApiEndpoint endpoint)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        Fixed("targets", """{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"""),
        Fixed("targets/metadata", "[]"),
        Fixed("scrape_pools", """{"scrapePools":[]}"""),
        Fixed("notifications", "[]"),
    ];

    private HttpRoute Fixed(string path, string data)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(data);
        return new(HttpRoute.Get, "/api/v1/" + path, path.Replace('/', '_'), endpoint.Of(_ => ValueTask.FromResult(ApiAnswer.Small(to => JsonFields.Raw(to, bytes))), needsData: false)) { Access = RouteAccess.Read };
    }
}
