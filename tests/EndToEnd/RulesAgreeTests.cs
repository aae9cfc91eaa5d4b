using System.Globalization;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Metrics.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.EndToEnd;

/// <summary>The same rule files in a real Prometheus and in our server, over the same data: equal recorded series and equal states of alerts, tick by tick, in real time.</summary>
/// <remarks>
/// All data is sent to both before its time comes, so that what a tick sees depends on its timestamp alone. Ticks of the two lie apart by less than an interval (the hash that moves them is of
/// another build of Prometheus), so they are compared by which step of the data they saw. Windows are whole steps. No group looks at what another made: which of two ticks in a step comes first is chance.
/// </remarks>
[Trait("Category", "Peers")]
public sealed class RulesAgreeTests(ITestOutputHelper log) : IDisposable
{
    private const int StepMs = 2000;
    private const int Steps = 32;

    private const string Rules = """
        groups:
        - name: fast
          interval: 2s
          rules:
          - {record: 'job:m:sum', expr: sum by (job) (m)}
          - {record: 'job:c:max', expr: 'sum by (job) (max_over_time(c[8s]))', labels: {source: rule}}
          - {record: 'job:m:ratio', expr: 'job:c:max / on (job) (job:m:sum + 1)'}
          - {record: above, expr: m > 5}
          - {alert: Above, expr: above, for: 6s, labels: {severity: '{{ if gt $value 8.0 }}page{{ else }}ticket{{ end }}'}}
          - {alert: Sum, expr: 'job:m:sum > 12', keep_firing_for: 4s}
          - {alert: Chain, expr: 'count(ALERTS{alertstate="firing", alertname!="Total"}) > 1', for: 2s}
          - {record: 'alerts:pending', expr: 'count(ALERTS{alertstate="pending", alertname!="Total"})'}
          - {alert: Gone, expr: 'absent(m{pod="p0"})'}
          - {alert: Doubled, expr: m, labels: {pod: same, job: same}}
        - name: limited
          interval: 2s
          limit: 4
          rules:
          - {record: 'limited:m', expr: m}
          - {alert: Total, expr: 'sum(c) > 100', for: 4s}
        """;

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task PrometheusRecordsAndAlertsTheSame()
    {
        const int seed = 8;
        log.WriteLine($"seed {seed}");
        var rules = directory.Sub("rules.yml");
        await File.WriteAllTextAsync(rules, Rules);
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"), "--rules-files", rules, "--query-lookback-delta", "4s");
        var (prometheus, address) = await StartPrometheusAsync(rules, ours.Http);
        using (prometheus)
        {
            // Both evaluate before there is anything, so that both begin alike.
            var zeroMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + 12_000;
            var body = RemoteWriteBody.Of(Data(new Random(seed), zeroMs));
            using (var written = await ours.WriteAsync(body))
            {
                Assert.True(written.IsSuccessStatusCode, await written.Content.ReadAsStringAsync());
            }

            await WriteAsync(ours.Http, address, body);
            var end = DateTimeOffset.FromUnixTimeMilliseconds(zeroMs + ((Steps + 4) * StepMs));
            await Task.Delay(end - DateTimeOffset.UtcNow);

            var differences = new List<string>();
            foreach (var name in new[] { "job:m:sum", "job:c:max", "job:m:ratio", "above", "alerts:pending", "limited:m", "ALERTS" })
            {
                var theirs = await RecordedAsync(ours.Http, address, name, zeroMs);
                var own = await RecordedAsync(ours.Http, ours.Address, name, zeroMs);
                Assert.NotEmpty(theirs);
                differences.AddRange(theirs.Except(own).Select(p => $"Prometheus alone has {p}"));
                differences.AddRange(own.Except(theirs).Select(p => $"we alone have {p}"));
            }

            differences.ForEach(log.WriteLine);
            Assert.Empty(differences);
            Assert.Equal(await HealthAsync(ours.Http, address), await HealthAsync(ours.Http, ours.Address));
        }
    }

    /// <summary>Gauges that wander, end with a stale marker, or are just not sent for a while, and counters.</summary>
    private static IEnumerable<(Labels Labels, long TimeMs, double Value)> Data(Random random, long zeroMs)
    {
        for (var pod = 0; pod < 5; pod++)
        {
            var m = Labels.Of(("__name__", "m"), ("job", $"j{pod % 2}"), ("pod", $"p{pod}"));
            var c = Labels.Of(("__name__", "c"), ("job", $"j{pod % 2}"), ("pod", $"p{pod}"));
            var (gauge, counter) = (random.Next(10), 0);
            for (var step = 0; step < Steps; step++)
            {
                gauge = Math.Clamp(gauge + random.Next(-2, 3), 0, 10);
                counter = random.Next(20) == 0 ? 0 : counter + random.Next(20);
                var atMs = zeroMs + (step * StepMs);
                if (random.Next(10) > 0)
                {
                    yield return (m, atMs, random.Next(12) == 0 ? StaleMarker.Value : gauge);
                }

                if (random.Next(10) > 0)
                {
                    yield return (c, atMs, counter);
                }
            }
        }
    }

    /// <summary>What was recorded under a name while there was data, as texts of step, labels and value.</summary>
    private static async Task<HashSet<string>> RecordedAsync(HttpClient http, Uri server, string name, long zeroMs)
    {
        var answer = await PrometheusApi.QueryAsync(http, server, $"{{__name__=\"{name}\"}}[{((Steps + 3) * StepMs / 1000) + 2}s]", (zeroMs + ((Steps + 3) * StepMs)) / 1000.0);
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (labels, points) in PrometheusApi.Points(answer))
        {
            foreach (var (time, value) in points)
            {
                var step = Math.Floor(((time * 1000) - zeroMs) / StepMs);
                if (step is >= -1 and < Steps + 2)
                {
                    Assert.True(found.Add($"{step} {labels} {value.ToString("R", CultureInfo.InvariantCulture)}"), $"{server}: two ticks of {labels} at step {step}");
                }
            }
        }

        return found;
    }

    private static async Task<List<string>> HealthAsync(HttpClient http, Uri server) =>
        [.. (await PrometheusApi.GetAsync(http, new Uri(server, "api/v1/rules"))).GetProperty("data").GetProperty("groups").EnumerateArray()
            .SelectMany(g => g.GetProperty("rules").EnumerateArray())
            .Select(r => $"{r.GetProperty("name").GetString()} {r.GetProperty("health").GetString()} {(r.TryGetProperty("lastError", out var error) ? error.GetString() : "")}")];

    private static async Task WriteAsync(HttpClient http, Uri prometheus, ReadOnlyMemory<byte> body)
    {
        using var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = new("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var answer = await http.PostAsync(new Uri(prometheus, "api/v1/write"), content);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private async Task<(RunningProgram Program, Uri Address)> StartPrometheusAsync(string rules, HttpClient http)
    {
        var configuration = directory.Sub("prometheus.yml");
        await File.WriteAllTextAsync(configuration, $"rule_files: ['{rules}']\n");
        var address = new Uri($"http://127.0.0.1:{FreePorts.Next()}/");
        var program = RunningProgram.Start(
            "prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={directory.Sub("prometheus")}", $"--web.listen-address={address.Authority}",
            "--web.enable-remote-write-receiver", "--query.lookback-delta=4s");
        await program.WaitReadyAsync(http, new Uri(address, "-/ready"), TimeSpan.FromSeconds(30));
        return (program, address);
    }
}
