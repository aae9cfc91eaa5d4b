using System.Diagnostics;
using Metrics.SideBySide;

namespace Metrics.ClusterBench;

/// <summary>The same bodies to one setup, measured from outside once all code has run often enough to be compiled well.</summary>
internal static class IngestRun
{
    /// <summary>Sends all scrapes; the first ones make the series and warm up.</summary>
    public static async Task MeasureAsync(Setup setup, string root, ChurningScrapes data, int warmUp, int scrapes, int connections, Figures figures)
    {
        using var servers = await Deployment.StartAsync(setup, root);
        for (var scrape = 0; scrape < warmUp; scrape++)
        {
            await servers.WriteAllAsync(data.Bodies(scrape), connections);
        }

        var start = await servers.QuietAsync();
        var clock = new Stopwatch();
        var whole = Stopwatch.StartNew();
        for (var scrape = warmUp; scrape < warmUp + scrapes; scrape++)
        {
            var bodies = data.Bodies(scrape);
            clock.Start();
            await servers.WriteAllAsync(bodies, connections);
            clock.Stop();
        }

        var sent = whole.Elapsed;
        var end = await servers.QuietAsync();
        var settled = whole.Elapsed - sent;
        var idleFrom = servers.CpuSeconds;
        await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System);
        var idle = (servers.CpuSeconds - idleFrom) / 10;

        // What the processes do anyway is not the load's.
        var used = end - start - (idle * (sent + settled).TotalSeconds);
        var samples = (double)data.Count * scrapes;
        figures.Add(setup.Name, "samples per server-CPU-second", samples / used, "N0");
        figures.Add(setup.Name, "server CPU, us per 1,000 samples", used * 1e9 / samples, "F0");
        figures.Add(setup.Name, "samples per second of sending", samples / clock.Elapsed.TotalSeconds, "N0");
        figures.Add(setup.Name, "cores used when idle", idle, "F3");
        figures.Add(setup.Name, "RSS after ingest, MiB", servers.ResidentMib, "N0");
        figures.Add(setup.Name, "requests sent again", servers.Refused, "N0");
    }
}
