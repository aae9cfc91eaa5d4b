using System.Diagnostics;
using Metrics.Testing;

namespace Metrics.SideBySide;

/// <summary>What one server did with the load.</summary>
internal sealed record IngestFigures(string Server, long Samples, double FirstScrapeCpuSeconds, double CpuSeconds, double WallSeconds, double ResidentMib, double PeakMib, double DiskMib)
{
    /// <summary>Samples per second of the server's CPU after the first scrape.</summary>
    public double SamplesPerCpuSecond => Samples / CpuSeconds;
}

/// <summary>Sends the same scrapes to a server over a few connections, and measures it from outside.</summary>
internal sealed class IngestRun(int seriesCount, int scrapes, int connections)
{
    /// <summary>Samples in a request: what a Prometheus with raised limits sends, and what the published comparisons use.</summary>
    private const int SamplesPerBody = 5000;

    private readonly ScrapeBodies bodies = new(new KubernetesSeries().Take(seriesCount));

    public async Task<IngestFigures> RunAsync(string name, string root)
    {
        using var server = await Server.StartAsync(name, root);
        var clock = Stopwatch.StartNew();
        var before = ProcessMeter.CpuSeconds(server.ProcessId);
        await ScrapeAsync(server, 0);
        var first = ProcessMeter.CpuSeconds(server.ProcessId);
        for (var scrape = 1; scrape < scrapes; scrape++)
        {
            await ScrapeAsync(server, scrape);
        }

        // Background work that the load caused is the load's: wait until the server is quiet.
        var after = await QuietAsync(server);
        return new(
            name, (long)seriesCount * (scrapes - 1), first - before, after - first, clock.Elapsed.TotalSeconds,
            ProcessMeter.ResidentMib(server.ProcessId), ProcessMeter.PeakMib(server.ProcessId), ProcessMeter.DiskBytes(server.Directory) / 1024.0 / 1024.0);
    }

    private static async Task<double> QuietAsync(Server server)
    {
        var cpu = ProcessMeter.CpuSeconds(server.ProcessId);
        for (var waited = 0; waited < 30; waited++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            var now = ProcessMeter.CpuSeconds(server.ProcessId);
            if (now - cpu < 0.05)
            {
                return now;
            }

            cpu = now;
        }

        return cpu;
    }

    private async Task ScrapeAsync(Server server, int scrape)
    {
        // Bodies are made before they are sent, so that making them does not compete with the server for its cores.
        var starts = Enumerable.Range(0, (seriesCount + SamplesPerBody - 1) / SamplesPerBody).Select(i => i * SamplesPerBody).ToList();
        var ready = starts.ConvertAll(start => (ReadOnlyMemory<byte>)bodies.Body(start, Math.Min(SamplesPerBody, seriesCount - start), scrape));
        await Parallel.ForEachAsync(ready, new ParallelOptions { MaxDegreeOfParallelism = connections }, async (body, _) => await server.WriteAsync(body));
    }
}
