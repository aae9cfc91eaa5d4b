using System.Globalization;
using System.Text;
using Metrics.ClusterBench;
using Metrics.SideBySide;

// Sends the same series to one process and to silos on this machine, and measures what grains, hops and replicas cost; or makes many tenants and looks what idle ones cost; or splits a shard that is written to.
const string Usage = """
    dotnet build -c Release src/Silo && dotnet run -c Release --project bench/Cluster -- [--quick] [option value]...
      --part NAME     ingest, idle or split (ingest)
      --setups LIST   of process,silo,silos-rf1,silos-rf2,silos-rf3 (all)
      --series N      series (100,000)
      --scrapes N     scrapes that are measured, 15 s apart (120)
      --warm-up N     small requests before that (5000)
      --connections N connections that write (4)
      --runs N        runs of everything; medians are shown (1)
      --tenants N     tenants of the part idle (1000)
      --quick         10,000 series, 10 scrapes, 20 tenants: does it work
    """;

var (part, series, scrapes, warmUp, connections, runs, tenants) = ("ingest", 100_000, 120, 5000, 4, 1, 1000);
IReadOnlyList<Setup> setups = Setup.All;
for (var i = 0; i < args.Length; i++)
{
    if (args[i] == "--quick")
    {
        (series, scrapes, warmUp, tenants) = (10_000, 10, 50, 20);
        continue;
    }

    var value = i + 1 < args.Length ? args[i + 1] : "";
    var isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;
    switch (args[i++])
    {
        case "--part" when value is "ingest" or "idle" or "split": part = value; break;
        case "--setups" when value.Split(',').All(static s => Setup.All.Any(k => k.Name == s)): setups = [.. value.Split(',').Select(static s => Setup.All.Single(k => k.Name == s))]; break;
        case "--series" when isNumber: series = number; break;
        case "--scrapes" when isNumber: scrapes = number; break;
        case "--warm-up" when isNumber: warmUp = number; break;
        case "--connections" when isNumber: connections = number; break;
        case "--runs" when isNumber: runs = number; break;
        case "--tenants" when isNumber: tenants = number; break;
        default:
            Console.Error.WriteLine($"{args[i - 1]} {value}: not understood\n{Usage}");
            return 2;
    }
}

var figures = new Figures();
var firstMs = (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 60_000 * 60_000) - ((long)(scrapes + 1) * ChurningScrapes.IntervalMs);
for (var run = 0; run < runs; run++)
{
    foreach (var setup in setups)
    {
        var root = Directory.CreateTempSubdirectory("metrics-cluster-bench-").FullName;
        try
        {
            // Every setup gets the same bytes.
            await (part switch
            {
                "idle" => IdleRun.MeasureAsync(setup, root, tenants, figures),
                "split" => SplitRun.MeasureAsync(setup, root, new ChurningScrapes(series, firstMs, seed: 1), connections, figures),
                _ => IngestRun.MeasureAsync(setup, root, new ChurningScrapes(series, firstMs, seed: 1), warmUp, scrapes, connections, figures),
            });
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}

var table = new StringBuilder($"| | {string.Join(" | ", setups.Select(static s => s.Name))} |\n|---|{string.Concat(setups.Select(static _ => "---|"))}\n");
foreach (var (name, format) in figures.Names)
{
    table.AppendLine($"| {name} | {string.Join(" | ", setups.Select(s => figures.Median(s.Name, name).ToString(format, CultureInfo.InvariantCulture)))} |");
}

Console.Write(table);
return 0;
