using System.Diagnostics;
using Metrics.SideBySide;

namespace Metrics.ClusterBench;

/// <summary>The same bodies to one setup, measured from outside once all code has run often enough to be compiled well.</summary>
internal static class IngestRun
{
    /// <summary>Series of the tenant that warms up: many small requests have all code compiled in its final form, in every process.</summary>
    private const int WarmUpSeries = 1000;
    private const int WarmUpAhead = 64;
    private static readonly TimeSpan idleFor = TimeSpan.FromSeconds(6);

    /// <summary>Sends all scrapes; the first one makes the series.</summary>
    public static async Task MeasureAsync(Setup setup, string root, ChurningScrapes data, int warmUp, int scrapes, int connections, Figures figures)
    {
        using var servers = await Deployment.StartAsync(setup, root);
        var warm = new ChurningScrapes(WarmUpSeries, data.DueMs(-warmUp), seed: 2);
        for (var scrape = 0; scrape < warmUp; scrape += WarmUpAhead)
        {
            var ahead = scrape;
            await servers.WriteAllAsync([.. Enumerable.Range(0, Math.Min(WarmUpAhead, warmUp - scrape)).SelectMany(n => warm.Bodies(ahead + n))], connections, "warm-up");
        }

        await servers.WriteAllAsync(data.Bodies(0), connections);
        var start = await servers.QuietAsync();
        var clock = new Stopwatch();
        for (var scrape = 1; scrape <= scrapes; scrape++)
        {
            var bodies = data.Bodies(scrape);
            clock.Start();
            await servers.WriteAllAsync(bodies, connections);
            clock.Stop();
        }

        var end = await servers.QuietAsync();
        var idleFrom = servers.CpuSeconds;
        await Task.Delay(idleFor, TimeProvider.System);
        var idle = (servers.CpuSeconds - idleFrom) / idleFor.TotalSeconds;
        var used = end - start;
        var samples = (double)data.Count * scrapes;
        figures.Add(setup.Name, "samples per server-CPU-second", samples / used, "N0");
        figures.Add(setup.Name, "server CPU, us per 1,000 samples", used * 1e9 / samples, "F0");
        figures.Add(setup.Name, "samples per second of sending", samples / clock.Elapsed.TotalSeconds, "N0");
        figures.Add(setup.Name, "cores used when idle", idle, "F3");
        figures.Add(setup.Name, "RSS after ingest, MiB", servers.ResidentMib, "N0");
        figures.Add(setup.Name, "requests sent again", servers.Refused, "N0");
    }
}
