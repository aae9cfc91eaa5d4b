using Metrics.SideBySide;

// dotnet run -c Release --project bench/SideBySide -- [series] [scrapes] [runs] [server ...]
// Sends the same remote write load to each server in turn, from fresh directories on loopback, and prints medians and ratios.
var series = args.Length > 0 ? int.Parse(args[0]) : 100_000;
var scrapes = args.Length > 1 ? int.Parse(args[1]) : 60;
var runs = args.Length > 2 ? int.Parse(args[2]) : 3;
var servers = args.Length > 3 ? args[3..] : [.. Server.Known];
var load = new IngestRun(series, scrapes, connections: 4);
var figures = new List<IngestFigures>();
for (var run = 0; run < runs; run++)
{
    foreach (var server in servers)
    {
        var root = Directory.CreateTempSubdirectory("metrics-bench-").FullName;
        try
        {
            figures.Add(await load.RunAsync(server, root));
            Console.Error.WriteLine(figures[^1]);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}

Console.WriteLine($"{series:N0} series, {scrapes} scrapes, 4 connections, 5,000 samples a body; medians of {runs} runs\n");
Console.WriteLine("| | " + string.Join(" | ", servers) + " |");
Console.WriteLine("|---|" + string.Concat(servers.Select(_ => "---|")));
Row("samples per server-CPU-second", f => f.SamplesPerCpuSecond, "N0");
Row("new series per server-CPU-second", f => series / f.FirstScrapeCpuSeconds, "N0");
Row("RSS after ingest, MiB", f => f.ResidentMib, "N0");
Row("peak RSS, MiB", f => f.PeakMib, "N0");
Row("disk, MiB", f => f.DiskMib, "N0");
Row("wall, s", f => f.WallSeconds, "N1");
foreach (var peer in servers.Skip(1))
{
    Console.WriteLine($"\nsamples per server-CPU-second, {servers[0]} / {peer}: {Median(servers[0], f => f.SamplesPerCpuSecond) / Median(peer, f => f.SamplesPerCpuSecond):F2}");
}

void Row(string what, Func<IngestFigures, double> value, string format) =>
    Console.WriteLine($"| {what} | {string.Join(" | ", servers.Select(s => Median(s, value).ToString(format)))} |");

double Median(string server, Func<IngestFigures, double> value)
{
    var values = figures.Where(f => f.Server == server).Select(value).Order().ToList();
    return values[values.Count / 2];
}
