using System.Globalization;
using System.Text;
using Metrics.RuleBench;
using Metrics.SideBySide;

// Sends the same series to each server in turn, with the same rule file, and measures what the rules cost while they are evaluated at their interval.
const string Usage = """
    dotnet run -c Release --project bench/Rules -- [--quick] [option value]...
      --groups N      groups of ten rules (1000)
      --series N      series (1,000,000)
      --scrapes N     scrapes, 15 s apart (40)
      --age S         age of the first when it is sent, seconds; the last may be ten minutes ahead of the clock (60)
      --interval S    seconds between evaluations (60)
      --windows N     intervals that are measured (3)
      --servers LIST  of metrics,prometheus
      --quick         50 groups, 20,000 series, 10 s, one interval, age 320: does it work
    """;

var (groups, series, scrapes, interval, windows, age) = (1000, 1_000_000, 40, 60, 3, 60);
IReadOnlyList<string> servers = ["metrics", "prometheus"];
for (var i = 0; i < args.Length; i++)
{
    if (args[i] == "--quick")
    {
        (groups, series, interval, windows, age) = (50, 20_000, 10, 1, 320);
        continue;
    }

    var value = i + 1 < args.Length ? args[i + 1] : "";
    var isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;
    switch (args[i++])
    {
        case "--groups" when isNumber: groups = number; break;
        case "--series" when isNumber: series = number; break;
        case "--age" when isNumber: age = number; break;
        case "--scrapes" when isNumber: scrapes = number; break;
        case "--interval" when isNumber: interval = number; break;
        case "--windows" when isNumber: windows = number; break;
        case "--servers" when value.Split(',').All(s => s is "metrics" or "prometheus"): servers = value.Split(','); break;
        default:
            Console.Error.WriteLine($"{args[i - 1]} {value}: not understood\n{Usage}");
            return 2;
    }
}

var figures = new Figures();
foreach (var name in servers)
{
    var root = Directory.CreateTempSubdirectory("metrics-rules-bench-").FullName;
    try
    {
        var rules = Path.Combine(root, "rules.yml");
        await File.WriteAllTextAsync(rules, RuleLoad.Write(groups, series, seed: 1));
        var run = new RuleRun(name, groups, TimeSpan.FromSeconds(interval), windows, figures);
        await run.MeasureAsync(root, rules, series, scrapes, TimeSpan.FromSeconds(age));
    }
    finally
    {
        Directory.Delete(root, recursive: true);
    }
}

var table = new StringBuilder($"{groups * RuleLoad.RulesPerGroup:N0} rules in {groups:N0} groups every {interval} s over {series:N0} series\n\n| | {string.Join(" | ", servers)} |\n|---|{string.Concat(servers.Select(_ => "---|"))}\n");
foreach (var (name, format) in figures.Names)
{
    table.AppendLine($"| {name} | {string.Join(" | ", servers.Select(s => figures.Median(s, name).ToString(format, CultureInfo.InvariantCulture)))} |");
}

Console.Write(table);
return 0;
