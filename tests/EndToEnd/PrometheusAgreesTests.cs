using System.Globalization;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.EndToEnd;

/// <summary>A real Prometheus scrapes itself and a node exporter and remote-writes to us: both must then answer alike.</summary>
[Trait("Category", "Peers")]
public sealed class PrometheusAgreesTests(ITestOutputHelper log) : IAsyncLifetime
{
    /// <summary>A minute, and what the queries look back beyond it: the very first scrapes Prometheus does not send on.</summary>
    private const int ScrapeSeconds = 80;

    private readonly TemporaryDirectory directory = new();
    private readonly List<RunningProgram> programs = [];
    private MetricsServer ours = null!;
    private Uri prometheus = null!;

    /// <summary>Queries as dashboards for nodes and for Prometheus itself ask them. Windows fit into a minute of scrapes.</summary>
    private static readonly string[] Queries =
    [
        "up",
        "count(up == 1)",
        "node_load1",
        "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[30s])) * 100",
        "sum by (mode) (rate(node_cpu_seconds_total[30s]))",
        "count(count by (cpu) (node_cpu_seconds_total))",
        "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
        "(1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) * 100",
        "rate(node_network_receive_bytes_total{device!=\"lo\"}[30s])",
        "sum without (device) (irate(node_network_transmit_bytes_total[30s]))",
        "node_filesystem_avail_bytes / on (instance, mountpoint, device) group_left node_filesystem_size_bytes",
        "topk(3, node_filesystem_size_bytes)",
        "max by (device) (rate(node_disk_io_time_seconds_total[30s]))",
        "time() - node_boot_time_seconds",
        "node_uname_info",
        "increase(node_context_switches_total[30s])",
        "deriv(node_load1[30s])",
        "prometheus_tsdb_head_series",
        "rate(prometheus_tsdb_head_samples_appended_total[30s])",
        "histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[30s])))",
        "histogram_quantile(0.5, sum by (le, handler) (rate(prometheus_http_request_duration_seconds_bucket[30s])))",
        "sum(rate(prometheus_http_request_duration_seconds_sum[30s])) / sum(rate(prometheus_http_request_duration_seconds_count[30s]))",
        "avg_over_time(go_goroutines[20s])",
        "max_over_time(process_resident_memory_bytes[20s]) / 1024 / 1024",
        "quantile_over_time(0.95, scrape_duration_seconds[30s])",
        "changes(process_start_time_seconds[30s])",
        "label_replace(up, \"host\", \"$1\", \"instance\", \"(.*):.*\")",
        "sum by (job) (scrape_samples_scraped) > 10",
        "max_over_time(sum(rate(prometheus_tsdb_head_samples_appended_total[SUBQUERY_WINDOW]))[30s:5s])",
        "go_memstats_heap_alloc_bytes{job=\"prometheus\"} and on (instance) up == 1",
        "count by (__name__) ({job=\"node\", __name__=~\"node_cpu.*|node_load.*\"})",
        "absent(nonexistent_metric)",
        "process_open_fds offset 10s",
        "stddev by (job) (scrape_duration_seconds)",
    ];

    public async Task InitializeAsync()
    {
        ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        var nodePort = FreePorts.Next();
        var prometheusPort = FreePorts.Next();
        prometheus = new Uri($"http://127.0.0.1:{prometheusPort}/");
        var configuration = directory.Sub("prometheus.yml");
        await File.WriteAllTextAsync(configuration, $"""
            global:
              scrape_interval: 1s
            scrape_configs:
              - job_name: prometheus
                static_configs: [{'{'}targets: ["127.0.0.1:{prometheusPort}"]{'}'}]
              - job_name: node
                static_configs: [{'{'}targets: ["127.0.0.1:{nodePort}"]{'}'}]
            remote_write:
              - url: {ours.Address}api/v1/write
                queue_config: {'{'}batch_send_deadline: 1s{'}'}
                metadata_config: {'{'}send_interval: 5s{'}'}
            """);
        programs.Add(RunningProgram.Start("prometheus-node-exporter", $"--web.listen-address=127.0.0.1:{nodePort}"));
        programs.Add(RunningProgram.Start(
            "prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={directory.Sub("prometheus")}", $"--web.listen-address=127.0.0.1:{prometheusPort}"));
        await programs[1].WaitReadyAsync(ours.Http, new Uri(prometheus, "-/ready"), TimeSpan.FromSeconds(30));
        await Task.Delay(TimeSpan.FromSeconds(ScrapeSeconds));
    }

    public Task DisposeAsync()
    {
        ours.Dispose();
        programs.ForEach(p => p.Dispose());
        directory.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task AfterAMinuteBothAnswerTheSame()
    {
        // Remote write runs behind the scrape; ask about a time that has surely arrived, and wait until it has.
        var newest = await NewestSampleAsync();

        // Prometheus 2.42 takes the sample on the left edge of a window, 3.x does not: no edge may lie where the scrapes do.
        var fraction = await FractionFarFromScrapesAsync(newest);
        var at = newest - 5 + fraction;
        var window = $"{11_000 - (int)(fraction * 1000)}ms";
        var differences = new List<string>();
        foreach (var query in Queries.Select(q => q.Replace("SUBQUERY_WINDOW", window, StringComparison.Ordinal)))
        {
            differences.AddRange(await CompareAsync(query, "instant", u => PrometheusApi.QueryAsync(ours.Http, u, query, at)));
            differences.AddRange(await CompareAsync(query, "range", u => PrometheusApi.QueryRangeAsync(ours.Http, u, query, at - 30, at, 5)));
        }

        differences.ForEach(log.WriteLine);
        Assert.Empty(differences);
        await PromtoolWorksAsync(at);
        await MetadataArrivesAsync();
    }

    private async Task PromtoolWorksAsync(double at)
    {
        var us = ours.Address.ToString().TrimEnd('/');
        var time = at.ToString("F0", CultureInfo.InvariantCulture);
        var start = (at - 30).ToString("F0", CultureInfo.InvariantCulture);
        string[][] calls =
        [
            ["query", "instant", $"--time={time}", us, "up"],
            ["query", "range", $"--start={start}", $"--end={time}", "--step=5s", us, "rate(node_cpu_seconds_total[20s])"],
            ["query", "series", $"--start={start}", $"--end={time}", "--match=up", us],
            ["query", "labels", $"--start={start}", $"--end={time}", us, "job"],
        ];
        foreach (var call in calls)
        {
            var (exitCode, output) = await RunningProgram.RunAsync("promtool", call);
            Assert.True(exitCode == 0, $"promtool {string.Join(' ', call)}: {output}");
            Assert.Contains("node", output, StringComparison.Ordinal);
        }
    }

    private async Task MetadataArrivesAsync()
    {
        var answer = await ours.GetAsync("api/v1/metadata?metric=node_cpu_seconds_total");
        Assert.Equal("counter", answer.GetProperty("data").GetProperty("node_cpu_seconds_total")[0].GetProperty("type").GetString());
    }

    private async Task<double> NewestSampleAsync()
    {
        var now = (await PrometheusApi.GetAsync(ours.Http, new Uri(prometheus, "api/v1/query?query=time()"))).GetProperty("data").GetProperty("result")[0].GetDouble();
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var arrived = PrometheusApi.Points(await PrometheusApi.QueryAsync(ours.Http, ours.Address, "min(timestamp(up))", now + 60));
            if (arrived.TryGetValue("", out var points) && points[0].Value > now - 3)
            {
                return Math.Floor(points[0].Value);
            }

            await Task.Delay(200);
        }

        throw new TimeoutException($"samples of the last seconds did not arrive:\n{programs[1].Output}\n{ours.Program.Output}");
    }

    /// <summary>The fraction of a second, of four, that is farthest from the times at which targets are scraped.</summary>
    private async Task<double> FractionFarFromScrapesAsync(double at)
    {
        // All of them: one that was late may lie on an edge where the others don't.
        var ups = PrometheusApi.Points(await PrometheusApi.QueryAsync(ours.Http, ours.Address, "up[2m]", at)).Values;
        Assert.Equal(2, ups.Count);
        var scrapes = ups.SelectMany(static points => points.Select(static p => p.Time)).ToArray();
        double[] fractions = [0, 0.25, 0.5, 0.75];
        return fractions.MaxBy(f => scrapes.Min(s => Math.Abs(Math.IEEERemainder(s - f, 1))));
    }

    private async Task<IEnumerable<string>> CompareAsync(string query, string kind, Func<Uri, Task<System.Text.Json.JsonElement>> ask)
    {
        var theirs = PrometheusApi.Points(await ask(prometheus));
        var mine = PrometheusApi.Points(await ask(ours.Address));
        log.WriteLine($"{kind,-7} {theirs.Count,5} series  {query}");
        return Comparison.Differences(theirs, mine).Select(d => $"{kind} {query}: {d}");
    }
}
