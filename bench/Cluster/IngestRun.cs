using System.Diagnostics;
using System.Text.Json;
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
        using var servers = await Deployment.StartAsync(setup, root, shards: 4);
        var warm = new ChurningScrapes(WarmUpSeries, data.DueMs(-warmUp), seed: 2);
        for (var scrape = 0; scrape < warmUp; scrape += WarmUpAhead)
        {
            var ahead = scrape;
            await servers.WriteAllAsync([.. Enumerable.Range(0, Math.Min(WarmUpAhead, warmUp - scrape)).SelectMany(n => warm.Bodies(ahead + n))], connections, "warm-up");
        }

        await servers.WriteAllAsync(data.Bodies(0), connections);
        var start = await servers.QuietAsync();
        var epochs = await EpochsAsync(setup, servers);
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
        figures.Add(setup.Name, "shards that changed hands meanwhile", await EpochsAsync(setup, servers) - epochs, "N0");
        figures.Add(setup.Name, "requests sent again", servers.Refused, "N0");
    }

    /// <summary>The sum of the epochs of all shards: it grows with each hand-over.</summary>
    private static async Task<double> EpochsAsync(Setup setup, Deployment servers)
    {
        if (setup.Silos == 0)
        {
            return double.NaN;
        }

        using var status = JsonDocument.Parse(await servers.GetAsync("api/v1/status/cluster"));
        return Epochs(status.RootElement);
    }

    private static double Epochs(JsonElement at) => at.ValueKind switch
    {
        JsonValueKind.Object => at.EnumerateObject().Sum(static p => p is { Name: "epoch", Value.ValueKind: JsonValueKind.Number } ? p.Value.GetDouble() : Epochs(p.Value)),
        JsonValueKind.Array => at.EnumerateArray().Sum(Epochs),
        _ => 0,
    };
}
