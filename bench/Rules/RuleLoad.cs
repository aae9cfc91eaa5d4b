using System.Text;
using Metrics.Model;
using Metrics.Testing;

namespace Metrics.RuleBench;

/// <summary>Rule groups as teams have them: each looks at the series of one service in one namespace; ten rules, most of which record, some on what others recorded, some alert.</summary>
internal static class RuleLoad
{
    /// <summary>Rules in a group.</summary>
    public const int RulesPerGroup = 10;

    /// <summary>A rule file of so many groups over series that exist when there are <paramref name="seriesCount"/>.</summary>
    public static string Write(int groups, int seriesCount, int seed)
    {
        var series = new KubernetesSeries(seed);
        var targets = Math.Max(seriesCount / KubernetesSeries.MetricCount, 1);
        var names = Enumerable.Range(0, KubernetesSeries.MetricCount).Select(i => series.Get(i)[Labels.MetricName]).ToList();
        var counters = names.Where(n => n.EndsWith("_total", StringComparison.Ordinal)).ToList();
        var gauges = names.Where(n => n.EndsWith("_current", StringComparison.Ordinal)).ToList();
        var file = new StringBuilder("groups:\n");
        for (var g = 0; g < groups; g++)
        {
            var target = series.Get(g % targets * KubernetesSeries.MetricCount);
            var of = $"{{namespace=\"{target["namespace"]}\",service=\"{target["service"]}\"}}";
            var (c1, c2) = (counters[g * 2 % counters.Count], counters[((g * 2) + 1) % counters.Count]);
            var (g1, g2) = (gauges[g * 2 % gauges.Count], gauges[((g * 2) + 1) % gauges.Count]);
            file.Append($"""
                - name: group-{g}
                  rules:
                  - {'{'}record: 'g{g}:c1:rate5m', expr: 'sum by (pod) (rate({c1}{of}[5m]))'{'}'}
                  - {'{'}record: 'g{g}:c2:rate5m', expr: 'sum by (namespace) (rate({c2}{of}[5m]))'{'}'}
                  - {'{'}record: 'g{g}:ratio', expr: 'sum(g{g}:c1:rate5m) / sum(g{g}:c2:rate5m)'{'}'}
                  - {'{'}record: 'g{g}:g1:avg', expr: 'avg by (namespace, service) ({g1}{of})'{'}'}
                  - {'{'}record: 'g{g}:g2:max5m', expr: 'max by (pod) (max_over_time({g2}{of}[5m]))'{'}'}
                  - {'{'}record: 'g{g}:g1:p90', expr: 'quantile by (service) (0.9, {g1}{of})'{'}'}
                  - {'{'}record: 'g{g}:g2:count', expr: 'count by (mode) ({g2}{of})'{'}'}
                  - {'{'}alert: High, expr: 'g{g}:g1:avg > 1e12', for: 5m, labels: {'{'}severity: page{'}'}{'}'}
                  - {'{'}alert: Absent, expr: 'absent({c1}{of})', for: 5m, labels: {'{'}severity: page{'}'}{'}'}
                  - {'{'}alert: Firing, expr: 'max by (service) (g{g}:g2:max5m) > 0', for: 1m, labels: {'{'}severity: ticket, group: 'g{g}'{'}'}, annotations: {'{'}summary: '{'{'}{'{'} $labels.service {'}'}{'}'} has {'{'}{'{'} $value | humanize {'}'}{'}'}'{'}'}{'}'}

                """);
        }

        return file.ToString();
    }
}
