using System.Net.Http.Headers;
using Xunit;

namespace Metrics.Gateway.Tests.Telemetry;

public sealed class ExpositionTests
{
    [Theory]
    [InlineData("", false)]
    [InlineData("text/plain", false)]
    [InlineData("*/*", false)]
    [InlineData("application/openmetrics-text", true)]
    [InlineData("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true)]
    [InlineData("application/openmetrics-text;version=0.0.1", false)]
    [InlineData("application/openmetrics-text;q=0.3,text/plain;q=0.4", false)]
    [InlineData("application/openmetrics-text;q=0", false)]
    public async Task TheScraperChoosesTheFormat(string accept, bool isOpenMetrics)
    {
        await using var app = await GatewayApp.StartAsync();
        using var response = await app.AskAsync(HttpMethod.Get, "/metrics", null, accept.Length == 0 ? [] : [("Accept", accept)]);
        Assert.Equal(
            MediaTypeHeaderValue.Parse(isOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8"),
            response.Content.Headers.ContentType);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(isOpenMetrics, text.EndsWith("\n# EOF\n", StringComparison.Ordinal));
        Assert.Contains(isOpenMetrics ? "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total " : "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheTenantsWithTheMostSeriesAreToldApart()
    {
        await using var app = await GatewayApp.StartAsync(o => o.Telemetry.MaxTenants = 2);
        foreach (var (tenant, series) in new[] { ("a", 1), ("b", 5), ("c", 3), ("d", 2), ("other", 9) })
        {
            await app.WriteAsync(WriteMessage.Of([.. Enumerable.Range(0, series).Select(i => WriteMessage.Series($"__name__=up,i={i}", (1000, 1)))]), ("X-Scope-OrgID", tenant));
        }

        var text = (await app.GetAsync("/metrics")).Body;
        string[] Of(string family) => [.. text.Split('\n').Where(l => l.StartsWith(family + "{", StringComparison.Ordinal)).Select(l => l[family.Length..])];
        Assert.Equal(["{tenant=\"b\"} 5", "{tenant=\"c\"} 3", "{tenant=\"other\"} 12"], Of("metrics_head_series"));
        Assert.Equal(["{tenant=\"b\"} 5", "{tenant=\"c\"} 3", "{tenant=\"other\"} 12"], Of("metrics_write_samples_total"));
    }
}
