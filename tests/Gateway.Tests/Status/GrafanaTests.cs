using System.Net;
using System.Text;
using System.Text.Json;
using Metrics.Gateway.Tests.FrontEnd;
using Metrics.Model;
using Metrics.PromQL.Tests.Reference;
using Xunit;

namespace Metrics.Gateway.Tests.Status;

/// <summary>The calls that Grafana's Prometheus data source makes: on "save and test", in the query builder, in Explore, in panels, for annotations, exemplars and alert lists.</summary>
public sealed class GrafanaTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_700_000_100);

    [Theory]

    // Save and test: kind and version, then the health check.
    [InlineData("GET", "/api/v1/status/buildinfo", "", """{"version":"3.""")]
    [InlineData("POST", "/api/v1/query", "query=1%2B1&time=1700000000", """{"resultType":"scalar","result":[1700000000,"2"]}""")]
    [InlineData("POST", "/api/v1/query", "query=1%2B1&time=1700000000.456", """{"resultType":"scalar","result":[1700000000.456,"2"]}""")]

    // The builder: names, values, metrics, filtered by what was chosen already.
    [InlineData("GET", "/api/v1/labels?start=1699996500&end=1700000100", "", """["__name__","instance","job"]""")]
    [InlineData("POST", "/api/v1/labels", "start=1699996500&end=1700000100&match%5B%5D=%7Bjob%3D%22api%22%7D", """["__name__","instance","job"]""")]
    [InlineData("GET", "/api/v1/label/__name__/values?start=1699996500&end=1700000100&limit=40000", "", """["http_requests_total","up"]""")]
    [InlineData("GET", "/api/v1/label/job/values?start=1699996500&end=1700000100&match%5B%5D=%7B__name__%3D%22up%22%7D", "", """["api"]""")]
    [InlineData("GET", "/api/v1/label/U__http_2e_status/values?start=1699996500&end=1700000100", "", "[]")]
    [InlineData("POST", "/api/v1/series", "match%5B%5D=up&start=1699996500&end=1700000100", """[{"__name__":"up","instance":"a","job":"api"}]""")]
    [InlineData("GET", "/api/v1/series?match%5B%5D=up&start=1699996500&end=1700000100", "", """[{"__name__":"up","instance":"a","job":"api"}]""")]
    [InlineData("GET", "/api/v1/metadata?limit=2000", "", "{}")]
    [InlineData("GET", "/api/v1/metadata?metric=up&limit=1&limit_per_metric=1", "", "{}")]
    [InlineData("POST", "/api/v1/parse_query", "query=up", "{")]
    [InlineData("GET", "/api/v1/format_query?query=sum%28up%29", "", "\"sum(up)\"")]

    // Panels and Explore: times with fractions, steps as numbers and durations, parameters of its own that mean nothing here.
    [InlineData("POST", "/api/v1/query_range", "query=up&start=1700000040&end=1700000100&step=30", """{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"a","job":"api"},"values":[[1700000040,"1"],[1700000070,"1"],[1700000100,"1"]]}]}""")]
    [InlineData("POST", "/api/v1/query_range", "query=up&start=1700000040.5&end=1700000041.000&step=0.2&timeout=60s&requestId=Q100&dashboardId=1&panelId=2", """{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"a","job":"api"},"values":[[1700000040.5""")]
    [InlineData("GET", "/api/v1/query_range?query=up&start=1700000070&end=1700000100&step=30s", "", """{"resultType":"matrix","result":[""")]
    [InlineData("GET", "/api/v1/query?query=up&time=1700000100", "", """{"resultType":"vector","result":[""")]
    [InlineData("POST", "/api/v1/query_range", "query=rate(http_requests_total%5B1m0s%5D)&start=1700000040&end=1700000100&step=15", """{"resultType":"matrix","result":[{"metric":{"instance":"a","job":"api"},"values":[[""")]

    // Exemplars, annotations, alert lists, the query inspector.
    [InlineData("GET", "/api/v1/query_exemplars?query=http_requests_total&start=1699996500&end=1700000100", "", "[]")]
    [InlineData("POST", "/api/v1/query_exemplars", "query=rate(http_requests_total%5B1m%5D)&start=1699996500&end=1700000100", "[]")]
    [InlineData("GET", "/api/v1/rules", "", """{"groups":[]}""")]
    [InlineData("GET", "/api/v1/rules?type=alert&exclude_alerts=true&group_limit=100", "", """{"groups":[]}""")]
    [InlineData("GET", "/api/v1/alerts", "", """{"alerts":[]}""")]
    [InlineData("GET", "/api/v1/alertmanagers", "", """{"activeAlertmanagers":[],"droppedAlertmanagers":[]}""")]
    [InlineData("GET", "/api/v1/targets?state=active", "", """{"activeTargets":[]""")]
    [InlineData("GET", "/api/v1/status/flags", "", "{")]
    [InlineData("GET", "/api/v1/status/tsdb", "", """{"headStats":{"numSeries":2""")]
    public async Task EveryCallIsAnswered(string method, string path, string form, string data)
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Add("User-Agent", "Grafana/12.0.0");
        request.Headers.Add("Accept-Encoding", "identity");
        request.Headers.Add("X-Grafana-Org-Id", "1");
        request.Headers.Add("X-Panel-Id", "2");
        if (form.Length > 0)
        {
            request.Content = new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded");
        }

        using var response = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        var body = await response.Content.ReadAsStringAsync();
        using var parsed = JsonDocument.Parse(body);
        Assert.Equal("success", parsed.RootElement.GetProperty("status").GetString());
        Assert.StartsWith($$"""{"status":"success","data":{{data}}""", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/v1/query_range?query=up%7B&start=1700000040&end=1700000100&step=30", "bad_data", "parse error")]
    [InlineData("/api/v1/query_range?query=up&start=1&end=1700000100&step=1", "bad_data", "exceeded maximum resolution of 11,000 points per timeseries")]
    public async Task MistakesHaveTheShapeThatItShows(string path, string type, string error)
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        using var response = await client.GetAsync(path);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(("error", type), (body.RootElement.GetProperty("status").GetString(), body.RootElement.GetProperty("errorType").GetString()));
        Assert.Contains(error, body.RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    private static async Task<StoredSeries> WorldAsync()
    {
        var world = new StoredSeries();
        world.Time.Now = Now;
        var times = Enumerable.Range(0, 60).Select(i => Now.ToUnixTimeMilliseconds() - (i * 15_000L)).Reverse().ToList();
        foreach (var name in new[] { "up", "http_requests_total" })
        {
            await world.WriteAsync([new NaiveSeries(Labels.Of(("__name__", name), ("instance", "a"), ("job", "api")), [.. times.Select((t, i) => new NaiveSample(t, name == "up" ? 1 : i))])]);
        }

        return world;
    }
}
