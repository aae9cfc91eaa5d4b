using System.Diagnostics;

namespace Metrics.SideBySide;

/// <summary>Sends all scrapes to a server over a few connections, and measures it from outside.</summary>
internal static class IngestPart
{
    public static async Task RunAsync(Server server, ChurningScrapes data, Settings settings, Figures figures)
    {
        var clock = new Stopwatch();
        var start = ProcessMeter.CpuSeconds(server.ProcessId);
        var first = start;
        for (var scrape = 0; scrape < settings.Scrapes; scrape++)
        {
            var bodies = data.Bodies(scrape);
            clock.Start();
            await server.WriteAllAsync(bodies, settings.Connections);
            clock.Stop();
            if (scrape == 0)
            {
                first = ProcessMeter.CpuSeconds(server.ProcessId);
            }
        }

        // Background work that the load caused is the load's.
        var end = await server.QuietAsync();
        var later = (long)data.Count * (settings.Scrapes - 1);
        figures.Add(server.Name, "samples per server-CPU-second", later / (end - first), "N0");
        figures.Add(server.Name, "first scrape: new series per server-CPU-second", data.Count / (first - start), "N0");
        figures.Add(server.Name, "samples per second of sending", (later + data.Count) / clock.Elapsed.TotalSeconds, "N0");
        figures.Add(server.Name, "RSS after ingest, MiB", ProcessMeter.ResidentMib(server.ProcessId), "N0");
        figures.Add(server.Name, "peak RSS, MiB", ProcessMeter.PeakMib(server.ProcessId), "N0");
        figures.Add(server.Name, "disk before compaction, bytes a sample", ProcessMeter.DiskBytes(server.Directory) / (double)(later + data.Count), "F2");
    }
}
