using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.EndToEnd;

/// <summary>The process dies by kill -9 under load, again and again; what it acknowledged is there afterwards, once, and nothing else is.</summary>
public sealed class KillTests(ITestOutputHelper log)
{
    private const int Kills = 30;
    private const int Writers = 4;

    [Fact]
    public async Task NothingAcknowledgedIsLostAndNothingIsDoubledOrInvented()
    {
        var seed = Environment.TickCount;
        log.WriteLine($"seed {seed}");
        var random = new Random(seed);
        using var directory = new TemporaryDirectory();

        // Small blocks, uploaded at once, so that cuts, uploads and merges are killed too, on a slow machine as well.
        using var server = await MetricsServer.StartAsync(directory.Sub("data"), "--storage-block-range", "20m", "--archive-work-every", "1s");
        var writers = Enumerable.Range(0, Writers).Select(w => new SequenceWriter(server, w)).ToArray();
        var restarts = new List<TimeSpan>();
        for (var kill = 0; kill < Kills; kill++)
        {
            using var stop = new CancellationTokenSource();
            var running = Task.WhenAll(writers.Select(w => Task.Run(() => w.RunAsync(stop.Token))));
            await Task.Delay(random.Next(100, 1500));
            server.Program.Kill();
            await stop.CancelAsync();
            await running;

            var clock = Stopwatch.StartNew();
            await server.StartAgainAsync();
            restarts.Add(clock.Elapsed);
            foreach (var writer in writers)
            {
                await writer.VerifyCountsAsync();
            }
        }

        foreach (var writer in writers)
        {
            await writer.VerifyEverySampleAsync();
        }

        var blocks = Directory.GetFiles(directory.Sub("data"), "meta.json", SearchOption.AllDirectories).Length;
        Assert.True(blocks > 0, "no block was cut under load");
        log.WriteLine($"{Kills} kills, {blocks} blocks cut, {writers.Sum(w => w.AcknowledgedSamples):N0} samples acknowledged in {writers.Sum(w => w.Requests):N0} requests, "
            + $"restart to ready: median {restarts.Order().ElementAt(Kills / 2).TotalMilliseconds:F0} ms, worst {restarts.Max().TotalMilliseconds:F0} ms");
        Assert.All(writers, w => Assert.True(w.AcknowledgedSamples > 0, "a writer got nothing through"));
    }

    /// <summary>
    /// Writes batches 0, 1, 2, ...: batch k gives each series the value k at a time that grows with k. A batch whose outcome is unknown is sent again until it is
    /// acknowledged, as Prometheus does. So at any time a series must hold 0..n-1, or 0..n when batch n is in doubt.
    /// </summary>
    private sealed class SequenceWriter(MetricsServer server, int writer)
    {
        private const int SeriesCount = 50;

        /// <summary>Coarse enough that the load spans many hours, so that blocks are cut, and the log truncated, while the process is killed.</summary>
        private const int StepMs = 500;

        private readonly long startMs = DateTimeOffset.UtcNow.AddDays(-3).ToUnixTimeMilliseconds();
        private readonly Model.Labels[] series = [.. Enumerable.Range(0, SeriesCount).Select(s => RemoteWriteBody.Labels(
            ("__name__", "kill_test"), ("instance", $"host-{s}"), ("job", "sequence"), ("writer", $"{writer}")))];

        public int Acknowledged { get; private set; }

        public int Requests { get; private set; }

        public long AcknowledgedSamples => (long)Acknowledged * SeriesCount;

        public async Task RunAsync(CancellationToken stop)
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    Requests++;
                    using var answer = await server.WriteAsync(RemoteWriteBody.OneSampleEach(series, startMs + ((long)Acknowledged * StepMs), Acknowledged), cancellation: stop);
                    if (answer.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.OK)
                    {
                        Acknowledged++;
                    }
                    else
                    {
                        throw new InvalidOperationException($"batch {Acknowledged}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(CancellationToken.None)}");
                    }
                }
                catch (HttpRequestException)
                {
                    return; // The server died under this batch: its outcome is unknown until the next run sends it again.
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }

        /// <summary>Every series holds 0..n-1 or 0..n, told by count and sum.</summary>
        public async Task VerifyCountsAsync()
        {
            var counts = await ValuesAsync("count_over_time");
            var sums = await ValuesAsync("sum_over_time");
            if (Acknowledged > 0)
            {
                Assert.Equal(SeriesCount, counts.Count);
            }

            foreach (var (labels, count) in counts)
            {
                Assert.True(count == Acknowledged || count == Acknowledged + 1, $"{labels}: {Acknowledged} acknowledged, {count} there");
                Assert.Equal(count * (count - 1) / 2, sums[labels]);
            }
        }

        public async Task VerifyEverySampleAsync()
        {
            var answer = await server.GetAsync($"api/v1/query?query={Uri.EscapeDataString($"kill_test{{writer=\"{writer}\"}}[7d]")}&time={Until():F3}");
            var found = answer.GetProperty("data").GetProperty("result").EnumerateArray().ToList();
            Assert.Equal(SeriesCount, found.Count);
            foreach (var values in found.Select(s => s.GetProperty("values").EnumerateArray().ToList()))
            {
                Assert.InRange(values.Count, Acknowledged, Acknowledged + 1);
                for (var k = 0; k < values.Count; k++)
                {
                    Assert.Equal(k, int.Parse(values[k][1].GetString()!));
                    Assert.Equal(startMs + ((long)k * StepMs), (long)Math.Round(values[k][0].GetDouble() * 1000));
                }
            }
        }

        private double Until() => (startMs + ((Acknowledged + 10L) * StepMs)) / 1000.0;

        private async Task<Dictionary<string, double>> ValuesAsync(string function)
        {
            var query = Uri.EscapeDataString($"{function}(kill_test{{writer=\"{writer}\"}}[7d])");
            JsonElement answer = await server.GetAsync($"api/v1/query?query={query}&time={Until():F3}");
            return PrometheusApi.Points(answer).ToDictionary(p => p.Key, p => p.Value[0].Value, StringComparer.Ordinal);
        }
    }
}
