using System.Net.Http.Headers;
using Metrics.Gateway.Telemetry;
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

    [Theory]
    [InlineData("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", true)]
    [InlineData("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true)]
    [InlineData("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", false)]
    [InlineData("application/vnd.google.protobuf", false)]
    [InlineData("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.1,text/plain", false)]
    public async Task ProtobufIsGivenToWhoAsksForIt(string accept, bool isProtobuf)
    {
        await using var app = await GatewayApp.StartAsync();
        await app.GetAsync("/-/healthy");
        using var response = await app.AskAsync(HttpMethod.Get, "/metrics", null, ("Accept", accept));
        Assert.Equal(isProtobuf, response.Content.Headers.ContentType!.MediaType == "application/vnd.google.protobuf");
        var bytes = await response.Content.ReadAsByteArrayAsync();
        if (!isProtobuf)
        {
            Assert.Equal((byte)'#', bytes[0]);
            return;
        }

        var names = new List<string>();
        for (var at = 0; at < bytes.Length;)
        {
            var length = 0;
            for (var shift = 0; ; shift += 7)
            {
                length |= (bytes[at] & 0x7f) << shift;
                if (bytes[at++] < 0x80)
                {
                    break;
                }
            }

            Assert.Equal(10, bytes[at]); // The first field is the name.
            names.Add(System.Text.Encoding.UTF8.GetString(bytes, at + 2, bytes[at + 1]));
            at += length;
            Assert.True(at <= bytes.Length);
        }

        Assert.Contains("metrics_http_request_duration_seconds", names);
        Assert.Contains("process_cpu_seconds_total", names);
        Assert.Equal(names.Count, names.Distinct().Count());
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(1.01, 1)]
    [InlineData(2, 8)]
    [InlineData(2.1, 9)]
    [InlineData(0.5, -8)]
    [InlineData(0.75, -3)]
    [InlineData(0.001, -79)]
    public void AnObservationIsInTheNativeBucketOfItsSize(double value, int index)
    {
        Assert.Equal(index, NativeBuckets.IndexOf(value));
        Assert.True(Math.Pow(2, (index - 1) / 8.0) < value && value <= Math.Pow(2, index / 8.0) * (1 + 1e-15));
    }

    [Fact]
    public void NativeBucketsHoldWhateverIsObserved()
    {
        var buckets = new NativeBuckets();
        foreach (var value in new[] { 0, -1, double.NaN, 1e-9, 1, 1, 1e300, double.PositiveInfinity })
        {
            buckets.Observe(value);
        }

        Assert.Equal(4, buckets.ZeroCount);
        Assert.Equal([(0, 2L), (136, 2L)], buckets.Filled());
    }

    [Fact]
    public async Task AnObservationInATraceThatIsRecordedIsAnExemplar()
    {
        using var listener = new System.Diagnostics.ActivityListener
        {
            ShouldListenTo = static source => source.Name == "Microsoft.AspNetCore",
            Sample = static (ref System.Diagnostics.ActivityCreationOptions<System.Diagnostics.ActivityContext> _) => System.Diagnostics.ActivitySamplingResult.AllDataAndRecorded,
        };
        System.Diagnostics.ActivitySource.AddActivityListener(listener);
        await using var app = await GatewayApp.StartAsync();
        const string Trace = "0af7651916cd43dd8448eb211c80319c";
        await app.GetAsync("/-/healthy", ("traceparent", $"00-{Trace}-b7ad6b7169203331-01"));
        using var response = await app.AskAsync(HttpMethod.Get, "/metrics", null, ("Accept", "application/openmetrics-text"));
        var text = await response.Content.ReadAsStringAsync();
        Assert.Matches("metrics_http_request_duration_seconds_bucket\\{handler=\"healthy\",le=\"[0-9.]+\"\\} 1 # \\{trace_id=\"" + Trace + "\",span_id=\"[0-9a-f]{16}\"\\} [0-9.E-]+ [0-9]+\\.[0-9]{3}\n", text);
        Assert.DoesNotContain("# {", (await app.GetAsync("/metrics")).Body);
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
