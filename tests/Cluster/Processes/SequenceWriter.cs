using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Xunit;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>
/// Sends batches 0, 1, 2, ... to whichever silo serves, as a Prometheus behind a load balancer does: batch k gives each series the value k at a time that grows with k, and is sent again until it is acknowledged. So at
/// the end each series holds exactly 0..n-1: less would be lost, more doubled.
/// </summary>
internal sealed class SequenceWriter(SiloLab lab, int writer)
{
    /// <summary>Series of a writer.</summary>
    public const int SeriesCount = 40;

    private const int StepMs = 500;

    private readonly long startMs = DateTimeOffset.UtcNow.AddHours(-6).ToUnixTimeMilliseconds();
    private readonly Labels[] series = [.. Enumerable.Range(0, SeriesCount).Select(s => RemoteWriteBody.Labels(
        ("__name__", "sequence"), ("instance", $"host-{s}"), ("job", "silos"), ("writer", $"{writer}")))];

    /// <summary>Selects its series.</summary>
    public string Selector => $"sequence{{writer=\"{writer}\"}}";

    /// <summary>The time of a batch's samples, Unix milliseconds.</summary>
    public long TimeOf(int batch) => startMs + ((long)batch * StepMs);

    /// <summary>Batches acknowledged.</summary>
    public int Acknowledged { get; private set; }

    /// <summary>Requests that got no 2xx.</summary>
    public int Failed { get; private set; }

    /// <summary>The longest time that no batch was acknowledged.</summary>
    public TimeSpan LongestPause { get; private set; }

    /// <summary>Writes until told to stop, and then until the last batch is acknowledged.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var last = Stopwatch.StartNew();
        var isOpen = false; // A batch whose outcome is unknown may be there: it is sent until it is known.
        for (var n = writer; !stop.IsCancellationRequested || isOpen || last.Elapsed > TimeSpan.FromSeconds(1); n++)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            try
            {
                using var answer = await lab.Serving(n).WriteAsync(lab.Http, RemoteWriteBody.OneSampleEach(series, TimeOf(Acknowledged), Acknowledged), patience.Token);
                if (answer.IsSuccessStatusCode)
                {
                    LongestPause = last.Elapsed > LongestPause ? last.Elapsed : LongestPause;
                    last.Restart();
                    isOpen = false;
                    Acknowledged++;
                    continue;
                }

                // Anything else would make a sender throw the batch away.
                Assert.True(answer.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests, $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(CancellationToken.None)}");
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                // The silo died, or is frozen, under this batch: its outcome is unknown until it is sent again.
            }

            Failed++;
            isOpen = true;
            if (last.Elapsed > TimeSpan.FromSeconds(90))
            {
                throw new TimeoutException($"writer {writer}: nothing was acknowledged for {last.Elapsed}");
            }

            await Task.Delay(100, CancellationToken.None);
        }
    }

    /// <summary>Each series holds each acknowledged sample once, and nothing else.</summary>
    public Task VerifyAsync() => VerifyAsync(lab);

    /// <summary>Each series of another cluster holds each acknowledged sample once, and nothing else.</summary>
    public async Task VerifyAsync(SiloLab reader)
    {
        var until = TimeOf(Acknowledged + 10) / 1000.0;
        var answer = await reader.GetAsync($"api/v1/query?query={Uri.EscapeDataString($"{Selector}[12h]")}&time={until:F3}", TimeSpan.FromSeconds(60));
        var found = answer.GetProperty("data").GetProperty("result").EnumerateArray().ToList();
        Assert.Equal(SeriesCount, found.Count);
        foreach (var values in found.Select(static s => s.GetProperty("values").EnumerateArray().ToList()))
        {
            Assert.Equal(Enumerable.Range(0, Acknowledged), values.Select(static v => int.Parse(v[1].GetString()!)));
            Assert.Equal(Enumerable.Range(0, Acknowledged).Select(TimeOf), values.Select(static (JsonElement v) => (long)Math.Round(v[0].GetDouble() * 1000)));
        }
    }
}
