using System.Diagnostics;
using Metrics.SideBySide;

namespace Metrics.ClusterBench;

/// <summary>A tenant of one large shard that is split while its series are written: how long it takes, and how long the writes wait meanwhile.</summary>
internal static class SplitRun
{
    private const string Tenant = "default";
    private const int ScrapesBefore = 4;
    private const int ScrapesAside = 4;
    private static readonly TimeSpan calm = TimeSpan.FromSeconds(8);

    /// <summary>Writes what the head is to hold, then goes on at the pace of a scrape every fifteen seconds, and splits.</summary>
    public static async Task MeasureAsync(Setup setup, string root, ChurningScrapes data, int connections, Figures figures)
    {
        using var servers = await Deployment.StartAsync(setup, root, shards: 1, "--storage-split-series", "0", "--storage-split-samples-per-second", "0");
        for (var scrape = 0; scrape < ScrapesBefore; scrape++)
        {
            await servers.WriteAllAsync(data.Bodies(scrape), connections);
        }

        var bodies = Enumerable.Range(ScrapesBefore, ScrapesAside).SelectMany(s => data.Bodies(s)).ToList();
        await servers.QuietAsync();
        var writes = new List<(long Begun, long Done)>();
        using var stop = new CancellationTokenSource();
        var writing = WriteAsync(servers, bodies, data.Count, writes, stop.Token);
        await Task.Delay(calm, TimeProvider.System);
        var refused = servers.Refused;
        var begun = Stopwatch.GetTimestamp();
        await servers.PostAsync($"api/v1/admin/cluster/split?tenant={Tenant}&range=all");
        var done = Stopwatch.GetTimestamp();
        await Task.Delay(calm, TimeProvider.System);
        await stop.CancelAsync();
        await writing;

        var before = writes.Where(w => w.Done < begun).Select(static w => Milliseconds(w.Begun, w.Done)).Order().ToList();
        var after = writes.Where(w => w.Done >= begun).Select(static w => Milliseconds(w.Begun, w.Done)).ToList();
        figures.Add(setup.Name, "split, s", Milliseconds(begun, done) / 1000, "F1");
        figures.Add(setup.Name, "median write before, ms", before[before.Count / 2], "F0");
        figures.Add(setup.Name, "longest write before, ms", before[^1], "F0");
        figures.Add(setup.Name, "longest write during and after, ms", after.Max(), "F0");
        figures.Add(setup.Name, "writes that took over a second", after.Count(static w => w > 1000), "N0");
        figures.Add(setup.Name, "writes", writes.Count, "N0");
        figures.Add(setup.Name, "requests sent again", servers.Refused - refused, "N0");
        figures.Add(setup.Name, "RSS, MiB", servers.ResidentMib, "N0");
    }

    /// <summary>Sends the bodies over and over at their pace, each without waiting for the one before: what is repeated is known, and costs as much.</summary>
    private static async Task WriteAsync(Deployment servers, List<ReadOnlyMemory<byte>> bodies, int series, List<(long Begun, long Done)> writes, CancellationToken stop)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds((double)ChurningScrapes.IntervalMs * ChurningScrapes.SamplesPerBody / Math.Max(series, ChurningScrapes.SamplesPerBody)));
        var under = new List<Task>();
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            under.Add(OneAsync(bodies[n % bodies.Count]));
            under.RemoveAll(static t => t.IsCompletedSuccessfully);
            await pace.WaitForNextTickAsync(CancellationToken.None);
        }

        await Task.WhenAll(under);

        async Task OneAsync(ReadOnlyMemory<byte> body)
        {
            var begun = Stopwatch.GetTimestamp();
            await servers.WriteAsync(body, Tenant);
            var done = Stopwatch.GetTimestamp();
            lock (writes)
            {
                writes.Add((begun, done));
            }
        }
    }

    private static double Milliseconds(long begun, long done) => Stopwatch.GetElapsedTime(begun, done).TotalMilliseconds;
}
