using System.Diagnostics;
using System.Globalization;
using System.Text;
using Metrics.SideBySide;

namespace Metrics.RuleBench;

/// <summary>One server with its rules: filled, left until the windows of the rules are full, and measured over whole intervals.</summary>
internal sealed class RuleRun(string name, int groups, TimeSpan interval, int windows, Figures figures)
{
    /// <summary>The longest window of a rule.</summary>
    private static readonly TimeSpan reach = TimeSpan.FromMinutes(5);

    /// <summary>Does it all.</summary>
    public async Task MeasureAsync(string root, string rules, int series, int scrapes, TimeSpan age)
    {
        // Samples are sent ahead of the clock, so that sending them and evaluating do not compete: at each tick those of the last minutes are there.
        var first = TimeProvider.System.GetUtcNow() - age;
        var data = new ChurningScrapes(series, first.ToUnixTimeMilliseconds(), seed: 1);
        using var server = await Server.StartAsync(name, root, new RuleFile(rules, interval));
        for (var scrape = 0; scrape < scrapes; scrape++)
        {
            await server.WriteAllAsync(data.Bodies(scrape), connections: 4);
        }

        // Windows of rules are full; and every group has been evaluated with data, so that its series exist.
        var settled = first + reach + TimeSpan.FromSeconds(10);
        var wait = settled - TimeProvider.System.GetUtcNow();
        await Task.Delay(wait > interval ? wait : interval + TimeSpan.FromSeconds(5), TimeProvider.System);
        var last = first + TimeSpan.FromMilliseconds((long)(scrapes - 1) * ChurningScrapes.IntervalMs);
        if (TimeProvider.System.GetUtcNow() + (interval * windows) > last + reach)
        {
            throw new InvalidOperationException($"{name} took so long to take the samples that they would be over before the measurement is: give fewer series, or fewer --windows");
        }

        var before = await CountersAsync(server);
        var cpu = ProcessMeter.CpuSeconds(server.ProcessId);
        var clock = Stopwatch.StartNew();
        await Task.Delay(interval * windows, TimeProvider.System);
        var used = ProcessMeter.CpuSeconds(server.ProcessId) - cpu;
        var after = await CountersAsync(server);
        var seconds = clock.Elapsed.TotalSeconds;

        double Of(string what) => after[what] - before[what];
        var evaluations = Of("evaluations");
        figures.Add(name, "evaluations a second", evaluations / seconds, "F1");
        figures.Add(name, "wanted: rules / interval", groups * RuleLoad.RulesPerGroup / interval.TotalSeconds, "F1");
        figures.Add(name, "server CPU seconds per 1,000 evaluations", used / evaluations * 1000, "F3");
        figures.Add(name, "evaluations per server-CPU-second", evaluations / used, "N0");
        figures.Add(name, "cores used", used / seconds, "F3");
        figures.Add(name, "failed evaluations", Of("failures"), "N0");
        figures.Add(name, "missed ticks of groups", Of("missed"), "N0");
        figures.Add(name, "mean duration of a group's last evaluation, ms", after["durations"] / groups * 1000, "F1");
        figures.Add(name, "samples of the last evaluations", after["samples"], "N0");
        figures.Add(name, "RSS, MiB", ProcessMeter.ResidentMib(server.ProcessId), "N0");
    }

    /// <summary>Sums over all groups of what the server counts; its own prefix before the names that are Prometheus's.</summary>
    private static async Task<Dictionary<string, double>> CountersAsync(Server server)
    {
        var sums = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var (family, what) in new[]
        {
            ("rule_evaluations_total", "evaluations"), ("rule_evaluation_failures_total", "failures"), ("rule_group_iterations_missed_total", "missed"),
            ("rule_group_last_duration_seconds", "durations"), ("rule_group_last_evaluation_samples", "samples"),
        })
        {
            sums[what] = 0;
            foreach (var line in Encoding.UTF8.GetString(await server.GetAsync("metrics")).Split('\n'))
            {
                if (line.StartsWith($"{server.Name}_{family}{{", StringComparison.Ordinal))
                {
                    sums[what] += double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
                }
            }
        }

        return sums;
    }
}
