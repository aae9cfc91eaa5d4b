using System.Text.Json;
using Metrics.Model;
using Metrics.SideBySide;
using Metrics.Wire;

namespace Metrics.ClusterBench;

/// <summary>Many tenants of one shard that write once and then nothing: what they cost while their shards are open, and after those were put into blocks and closed.</summary>
internal static class IdleRun
{
    private const int SeriesPerTenant = 20;
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(4);

    /// <summary>Within which files are closed, what is known of series is forgotten, and memory is given back, once nobody writes.</summary>
    private static readonly TimeSpan settling = TimeSpan.FromMinutes(3);

    /// <summary>Writes, waits until no shard is open, and looks at each stage.</summary>
    public static async Task MeasureAsync(Setup setup, string root, int tenants, Figures figures)
    {
        // Long enough for all to be written to first.
        using var servers = await Deployment.StartAsync(setup, root, shards: 1, setup.Silos == 0 ? [] : ["--cluster-idle-after", "1m"]);
        await servers.WriteAsync(Body(), "first");
        await servers.QuietAsync();
        await LookAsync(setup, servers, "one tenant", figures);
        var start = servers.CpuSeconds;
        await Parallel.ForEachAsync(Enumerable.Range(0, tenants), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (n, _) => await servers.WriteAsync(Body(), $"tenant-{n}"));
        figures.Add(setup.Name, "CPU to open a tenant, ms", (servers.CpuSeconds - start) * 1000 / tenants, "F1");
        await LookAsync(setup, servers, "all open", figures);
        var until = TimeProvider.System.GetUtcNow() + patience;
        while (setup.Silos > 0 && await OpenShardsAsync(servers) > 0 && TimeProvider.System.GetUtcNow() < until)
        {
            await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System);
        }

        await Task.Delay(settling, TimeProvider.System);
        await LookAsync(setup, servers, "all idle", figures);
    }

    private static async Task LookAsync(Setup setup, Deployment servers, string when, Figures figures)
    {
        figures.Add(setup.Name, $"{when}: open shards", setup.Silos == 0 ? double.NaN : await OpenShardsAsync(servers), "N0");
        figures.Add(setup.Name, $"{when}: RSS, MiB", servers.ResidentMib, "N0");
        figures.Add(setup.Name, $"{when}: open files", servers.OpenFiles, "N0");
        var before = servers.CpuSeconds;
        await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System);
        figures.Add(setup.Name, $"{when}: cores used", (servers.CpuSeconds - before) / 10, "F3");
    }

    private static async Task<int> OpenShardsAsync(Deployment servers)
    {
        using var status = JsonDocument.Parse(await servers.GetAsync("api/v1/status/cluster"));
        return status.RootElement.GetProperty("data").GetProperty("silos").EnumerateArray().Sum(static s => s.TryGetProperty("shards", out var shards) ? shards.GetInt32() : 0);
    }

    private static byte[] Body()
    {
        using var writer = new WriteRequestWriter();
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        for (var i = 0; i < SeriesPerTenant; i++)
        {
            writer.AddSeries(Labels.Of((Labels.MetricName, "up"), ("instance", $"host-{i}"), ("job", "idle")), [now], [1]);
        }

        var body = new byte[SnappyEncoder.MaxEncodedLength(writer.Written.Length)];
        return body.AsSpan(0, SnappyEncoder.Encode(writer.Written, body)).ToArray();
    }
}
