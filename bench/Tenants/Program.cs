using System.Globalization;
using Metrics.TenantBench;

// What tenants do to each other in one process, and what hours of everything do to the process.
const string Usage = """
    dotnet run -c Release --project bench/Tenants -- neighbours [option value]...
      --seconds N     length of a phase (30)
      --series N      series of the tenant with the heavy queries, of an hour (50,000)
      --phases LIST   of alone,flood,heavy,both, any of them more than once, the first being alone (each twice)
    dotnet run -c Release --project bench/Tenants -- soak [option value]...
      --minutes N     how long (60); memory is judged after the first fifteen
      --series N      series of each of the four tenants (5,000)
    """;

if (args is ["flood" or "heavy", var address, var end])
{
    return await Neighbour.BeAsync(args[0], new Uri(address), long.Parse(end, CultureInfo.InvariantCulture));
}

var mode = args.Length > 0 ? args[0] : "";
var (seconds, minutes, series) = (30, 60, mode == "soak" ? 5_000 : 50_000);
IReadOnlyList<string> phases = ["alone", "flood", "heavy", "both", "alone", "flood", "heavy", "both"];
for (var i = 1; i < args.Length; i += 2)
{
    var value = i + 1 < args.Length ? args[i + 1] : "";
    var isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;
    switch (args[i])
    {
        case "--seconds" when isNumber && mode == "neighbours": seconds = number; break;
        case "--minutes" when isNumber && mode == "soak": minutes = number; break;
        case "--series" when isNumber: series = number; break;
        case "--phases" when mode == "neighbours" && value.Split(',').All(p => p is "alone" or "flood" or "heavy" or "both") && value.StartsWith("alone", StringComparison.Ordinal): phases = value.Split(','); break;
        default:
            Console.Error.WriteLine($"{args[i]} {value}: not understood\n{Usage}");
            return 2;
    }
}

if (mode is not ("neighbours" or "soak"))
{
    Console.Error.WriteLine(Usage);
    return 2;
}

if (mode == "neighbours" && await RealTime.RunAgainAsync(args) is { } exited)
{
    return exited;
}

var root = Directory.CreateTempSubdirectory("metrics-tenants-bench-").FullName;
try
{
    return mode == "neighbours" ? await NeighboursRun.RunAsync(root, TimeSpan.FromSeconds(seconds), series, phases) : await SoakRun.RunAsync(root, minutes, series);
}
finally
{
    Directory.Delete(root, recursive: true);
}
