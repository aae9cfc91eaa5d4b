using System.Net;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Metrics.Testing;
using Metrics.Wire;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>A real Prometheus reads from us: by remote read, which it streams, and by federation.</summary>
[Trait("Category", "Peers")]
public sealed class RemoteReadTests : IAsyncLifetime
{
    private static readonly string[] Queries =
    [
        "m1", "m1{n=\"1\"}", "m2{n=~\"[2-5].*\"}", "{n!=\"2\",n!~\"1.*\",__name__=\"m2\"}", "sum by (__name__) ({n=~\".+\"})", "rate(m3[5m])", "count_over_time(m0[3h])", "m9 offset 1h", "nothing",
    ];

    private readonly TemporaryDirectory directory = new();
    private readonly long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 15_000 * 15_000;
    private MetricsServer ours = null!;
    private RunningProgram program = null!;
    private Uri prometheus = null!;

    public async Task InitializeAsync()
    {
        ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        Labels[] series = [.. Enumerable.Range(0, 100).Select(i => RemoteWriteBody.Labels(("__name__", $"m{i % 10}"), ("n", $"{i}")))];
        for (var step = -800; step <= 0; step++)
        {
            using var answer = await ours.WriteAsync(RemoteWriteBody.OneSampleEach(series, now + (step * 15_000), Math.Sqrt(step + 801)));
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
            if (step == -400)
            {
                using var flushed = await ours.Http.PostAsync(new Uri(ours.Address, "ingester/flush?wait=true"), null);
                Assert.Equal(HttpStatusCode.NoContent, flushed.StatusCode);
            }
        }

        using var histogram = await ours.WriteAsync(NativeHistogram());
        Assert.Equal(HttpStatusCode.NoContent, histogram.StatusCode);

        var port = FreePorts.Next();
        prometheus = new Uri($"http://127.0.0.1:{port}/");
        var configuration = directory.Sub("prometheus.yml");
        await File.WriteAllTextAsync(configuration, $"""
            global:
              scrape_interval: 1s
            remote_read:
              - url: {ours.Address}api/v1/read
                read_recent: true
            scrape_configs:
              - job_name: federate
                honor_labels: true
                honor_timestamps: false
                metrics_path: /federate
                params: {'{'}'match[]': ['m5', '{'{'}n="17"{'}'}', 'native']{'}'}
                static_configs: [{'{'}targets: ["{ours.Address.Authority}"]{'}'}]
            """);
        program = RunningProgram.Start("prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={directory.Sub("prometheus")}", $"--web.listen-address=127.0.0.1:{port}", "--enable-feature=native-histograms");
        await program.WaitReadyAsync(ours.Http, new Uri(prometheus, "-/ready"), TimeSpan.FromSeconds(30));
    }

    private ReadOnlyMemory<byte> NativeHistogram()
    {
        using var writer = new WriteRequestWriter();
        writer.BeginSeries();
        writer.AddLabels(RemoteWriteBody.Labels(("__name__", "native")));
        var histogram = new HistogramSample { TimestampMs = now, IsFloat = true, CountFloat = 6, Sum = 18, Schema = 1, ZeroThreshold = 0.001, ZeroCountFloat = 1, PositiveSpans = [new(1, 2)], PositiveCounts = [2, 3] };
        writer.AddHistogram(histogram);
        writer.EndSeries();
        var body = new byte[SnappyEncoder.MaxEncodedLength(writer.Written.Length)];
        return body.AsMemory(0, SnappyEncoder.Encode(writer.Written, body));
    }

    public Task DisposeAsync()
    {
        program.Dispose();
        ours.Dispose();
        directory.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task APrometheusThatReadsFromUsAnswersAsWeDo()
    {
        // Up to a minute ago, before anything was federated; beside the samples, where left-open windows (3.x) and closed ones (2.42) hold the same.
        var end = (now / 1000.0) - 67;
        foreach (var query in Queries)
        {
            var want = PrometheusApi.Points(await PrometheusApi.QueryRangeAsync(ours.Http, ours.Address, query, end - 7200, end, 30));
            var got = PrometheusApi.Points(await PrometheusApi.QueryRangeAsync(ours.Http, prometheus, query, end - 7200, end, 30));
            Assert.Equal(want.Keys.Order(StringComparer.Ordinal), got.Keys.Order(StringComparer.Ordinal));
            Assert.All(want, series => Assert.Equal(series.Value.Select(p => p.Time), got[series.Key].Select(p => p.Time)));

            // Sums are compensated in 3.x and not in 2.42; samples themselves come through to the bit.
            Assert.All(want, series => Assert.All(series.Value.Zip(got[series.Key]), p => Assert.InRange(p.Second.Value, p.First.Value - (1e-12 * Math.Abs(p.First.Value)), p.First.Value + (1e-12 * Math.Abs(p.First.Value)))));
            Assert.Equal(query == "nothing", want.Count == 0);
        }
    }

    [Fact]
    public async Task APrometheusFederatesTheLastSamples()
    {
        var text = await ours.Http.GetStringAsync(new Uri(ours.Address, "federate?match[]=m5&match[]={n=\"17\"}&match[]={n=\"15\"}"));
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(11, lines.Count(l => !l.StartsWith('#')));
        Assert.Equal(["# TYPE m5 untyped", "# TYPE m7 untyped"], lines.Where(l => l.StartsWith('#')));
        Assert.Contains($"m7{{n=\"17\",instance=\"\"}} {Math.Sqrt(801):R} {now}", lines);
        for (var attempt = 0; ; attempt++)
        {
            var found = PrometheusApi.Points(await PrometheusApi.QueryAsync(ours.Http, prometheus, "count(m5{job=\"federate\"})", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0));
            if (found.TryGetValue("", out var count) && count[0].Value == 10)
            {
                break;
            }

            Assert.True(attempt < 300, $"after 30 s Prometheus has {found.Count} federated answers");
            await Task.Delay(100);
        }

        // As protobuf, which a Prometheus with native histograms asks for first.
        var observations = PrometheusApi.Points(await PrometheusApi.QueryAsync(ours.Http, prometheus, "sum(histogram_count(native{job=\"federate\"}))", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0));
        Assert.Equal(6, observations[""][0].Value);
        using var bad = await ours.Http.GetAsync(new Uri(ours.Address, "federate?match[]={"));
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
    }
}
