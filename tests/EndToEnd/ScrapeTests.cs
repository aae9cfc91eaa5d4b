using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>A real Prometheus scrapes our <c>/metrics</c> in each form that it can, protobuf with native histograms and OpenMetrics with exemplars, and sends what it got to us.</summary>
[Trait("Category", "Peers")]
public sealed class ScrapeTests : IDisposable
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("exemplar-storage,native-histograms", true)]
    [InlineData("exemplar-storage", false)]
    public async Task PrometheusScrapesCountersHistogramsAndExemplars(string features, bool isNative)
    {
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"), "--telemetry-traces-endpoint", "http://127.0.0.1:1");
        using (var request = new HttpRequestMessage(HttpMethod.Get, new Uri(ours.Address, "api/v1/labels")))
        {
            request.Headers.Add("traceparent", $"00-{Trace}-b7ad6b7169203331-01");
            using var answer = await ours.Http.SendAsync(request);
            Assert.True(answer.IsSuccessStatusCode);
        }

        var port = FreePorts.Next();
        var prometheus = new Uri($"http://127.0.0.1:{port}/");
        var configuration = directory.Sub("prometheus.yml");
        await File.WriteAllTextAsync(configuration, $"""
            scrape_configs:
              - job_name: ours
                scrape_interval: 1s
                static_configs: [{"{"}targets: ["{ours.Address.Authority}"]{"}"}]
            remote_write:
              - url: {ours.Address}api/v1/write
                send_exemplars: true
                send_native_histograms: {(isNative ? "true" : "false")}
                queue_config: {"{"}batch_send_deadline: 1s{"}"}
            """);
        using var program = RunningProgram.Start(
            "prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={directory.Sub("prometheus")}", $"--web.listen-address=127.0.0.1:{port}", $"--enable-feature={features}");
        await program.WaitReadyAsync(ours.Http, new Uri(prometheus, "-/ready"), TimeSpan.FromSeconds(30));

        Assert.Equal(1, await UntilAsync("up{job=\"ours\"} == 1"));
        Assert.True(await UntilAsync("process_cpu_seconds_total") > 0);
        Assert.True(await UntilAsync("metrics_http_requests_total{handler=\"metrics\",code=\"200\"} > 1") > 1);
        Assert.Equal(1, await UntilAsync(isNative ? "histogram_count(metrics_http_request_duration_seconds{handler=\"labels\"})" : "metrics_http_request_duration_seconds_count{handler=\"labels\"}"));
        var half = await UntilAsync(isNative
            ? "histogram_quantile(0.5, metrics_http_request_duration_seconds{handler=\"labels\"})"
            : "histogram_quantile(0.5, metrics_http_request_duration_seconds_bucket{handler=\"labels\"})");
        Assert.InRange(half, 1e-6, 30);
        if (!isNative)
        {
            var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            var found = await PrometheusApi.GetAsync(ours.Http, new Uri(prometheus, $"api/v1/query_exemplars?query=metrics_http_request_duration_seconds_bucket&start={now - 600}&end={now + 60}"));
            Assert.Contains(Trace, found.GetRawText());
            for (var end = DateTime.UtcNow.AddSeconds(30); ; await Task.Delay(200))
            {
                var sent = await ours.GetAsync("api/v1/query_exemplars?query=metrics_http_request_duration_seconds_bucket{job=\"ours\"}");
                if (sent.GetRawText().Contains(Trace, StringComparison.Ordinal))
                {
                    break;
                }

                Assert.True(DateTime.UtcNow < end, program.Output);
            }
        }

        async Task<double> UntilAsync(string query)
        {
            for (var end = DateTime.UtcNow.AddSeconds(30); ;)
            {
                var points = PrometheusApi.Points(await PrometheusApi.QueryAsync(ours.Http, prometheus, query, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0));
                if (points.Count > 0)
                {
                    return points.Values.First()[0].Value;
                }

                Assert.True(DateTime.UtcNow < end, $"{query}: {program.Output}");
                await Task.Delay(200);
            }
        }
    }
}
