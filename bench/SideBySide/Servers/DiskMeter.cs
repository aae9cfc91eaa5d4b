using System.Text.Json;

namespace Metrics.SideBySide;

/// <summary>Bytes on disk of what holds samples and of what finds them.</summary>
internal sealed record DiskUse(long Samples, long Index);

/// <summary>Has a server compact what it holds, as far as it offers that, and measures the result by its layout.</summary>
/// <remarks>
/// Ours and Prometheus are asked for a snapshot, whose blocks hold `chunks` and `index`: ours after a flush, which cuts, uploads and compacts; Prometheus writes the
/// snapshot of its head as a block, the only compaction it offers before the head spans three hours. VictoriaMetrics flushes and merges its partitions to one part,
/// `data`; its `indexdb` is as its background merges left it.
/// </remarks>
internal static class DiskMeter
{
    public static async Task<DiskUse> CompactedAsync(Server server)
    {
        if (server.Name == "victoria-metrics")
        {
            await server.GetAsync("internal/force_flush");
            await server.GetAsync("internal/force_merge");
            await server.QuietAsync();
            return new(ProcessMeter.DiskBytes(Path.Combine(server.Directory, "data")), ProcessMeter.DiskBytes(Path.Combine(server.Directory, "indexdb")));
        }

        if (server.Name == "metrics")
        {
            await server.PostAsync("ingester/flush?wait=true");
        }

        using var answer = JsonDocument.Parse(await server.PostAsync("api/v1/admin/tsdb/snapshot"));
        var name = answer.RootElement.GetProperty("data").GetProperty("name").GetString()!;
        var folder = Directory.EnumerateDirectories(server.Directory, name, SearchOption.AllDirectories).First();
        long samples = 0, index = 0;
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            if (file.Directory!.Name == "chunks")
            {
                samples += file.Length;
            }
            else
            {
                index += file.Length;
            }
        }

        return new(samples, index);
    }
}
