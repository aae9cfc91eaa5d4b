namespace Metrics.SideBySide;

/// <summary>What a sample costs on disk once compacted.</summary>
internal static class DiskPart
{
    public static async Task RunAsync(Server server, Settings settings, Figures figures)
    {
        var use = await DiskMeter.CompactedAsync(server);
        var samples = (double)settings.Series * settings.Scrapes;
        figures.Add(server.Name, "disk after compaction, bytes a sample: samples", use.Samples / samples, "F3");
        figures.Add(server.Name, "disk after compaction, bytes a sample: index", use.Index / samples, "F3");
        figures.Add(server.Name, "disk after compaction, bytes a sample: both", (use.Samples + use.Index) / samples, "F3");
    }
}
