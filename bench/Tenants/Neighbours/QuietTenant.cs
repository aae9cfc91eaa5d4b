using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime;
using Metrics.SideBySide;

namespace Metrics.TenantBench;

/// <summary>
/// The tenant whose p99 is looked at: a scrape of its series every second, in requests one after the other, and the queries of dashboards one after the other with a pause between, about 15 a second:
/// thirty of single services and twenty over all its series, each evaluated anew.
/// </summary>
internal sealed class QuietTenant(Uri server, ChurningScrapes data, int firstScrape)
{
    /// <summary>Samples in a request: a quarter of what Prometheus sends at most, so that a phase has requests enough for a p99.</summary>
    private const int SamplesPerBody = 500;

    /// <summary>What a phase may allocate without a collection, which would count as the server's.</summary>
    private const int UncollectedBytes = 240 << 20;

    private static readonly TimeSpan scrapeEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan pause = TimeSpan.FromMilliseconds(50);
    private static readonly IReadOnlyList<Query> panels = [.. DashboardSuite.Queries, .. HeavySuite.Queries];

    private int next = firstScrape;
    private int asked;

    /// <summary>Writes and asks for so long; gives the times in milliseconds. Anything but success is an exception: this tenant does nothing wrong.</summary>
    public async Task<(IReadOnlyCollection<double> Writes, IReadOnlyCollection<double> Queries)> RunAsync(TimeSpan length)
    {
        using var client = new TenantClient(server, "quiet", connections: 2);
        GC.TryStartNoGCRegion(UncollectedBytes);
        using var stop = new CancellationTokenSource(length, TimeProvider.System);
        var writes = new ConcurrentBag<double>();
        var queries = new ConcurrentBag<double>();
        var writer = WriteAsync(client, writes, stop.Token);
        while (!stop.IsCancellationRequested)
        {
            // The end moves on with the scrapes, at a multiple of every step.
            var endMs = data.DueMs(Volatile.Read(ref next) - 1) / 60_000 * 60_000;
            await TimeAsync(queries, () => client.GetAsync(panels[asked++ % panels.Count].Path(endMs)));
            await Task.Delay(pause, TimeProvider.System);
        }

        await writer;
        if (GCSettings.LatencyMode == GCLatencyMode.NoGCRegion)
        {
            GC.EndNoGCRegion();
        }

        return (writes, queries);
    }

    private async Task WriteAsync(TenantClient client, ConcurrentBag<double> times, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(scrapeEvery, TimeProvider.System);
        while (!stop.IsCancellationRequested)
        {
            foreach (var body in data.Bodies(next, SamplesPerBody))
            {
                await TimeAsync(times, () => client.WriteAsync(body));
            }

            Interlocked.Increment(ref next);
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    private static async Task TimeAsync(ConcurrentBag<double> times, Func<Task<(int Status, string Text)>> ask)
    {
        var clock = Stopwatch.StartNew();
        var (status, text) = await ask();
        times.Add(clock.Elapsed.TotalMilliseconds);
        if (status is < 200 or > 299)
        {
            throw new HttpRequestException($"the quiet tenant was answered {status}: {text}");
        }
    }
}
