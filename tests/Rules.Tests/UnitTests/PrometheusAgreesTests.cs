using System.Globalization;
using System.Text;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Alerting;
using Metrics.Rules.Tests.Fakes;
using Xunit;

namespace Metrics.Rules.Tests.UnitTests;

/// <summary>
/// The same rules over the same data in Prometheus and here: what ours recorded and alerted, minute by minute, is what Prometheus's own engine and rules expect.
/// Ours runs first and its results become the expectations of a unit test that promtool runs.
/// </summary>
[Trait("Category", "Peers")]
public sealed class PrometheusAgreesTests
{
    private const long Minute = 60_000;
    private const int Minutes = 60;

    private const string Rules = """
        groups:
        - name: g
          interval: 1m
          rules:
          - {record: 'job:m:sum', expr: sum by (job) (m)}
          - {record: 'job:c:max', expr: 'sum by (job) (max_over_time(c[4m30s]))', labels: {source: rule}}
          - {record: 'job:m:ratio', expr: 'job:c:max / on (job) (job:m:sum + 1)'}
          - {record: above, expr: m > 5}
          - {alert: Above, expr: above, for: 3m, labels: {severity: '{{ if gt $value 8.0 }}page{{ else }}ticket{{ end }}'}, annotations: {v: '{{ $value | humanize }} of {{ $labels.pod | toUpper }}'}}
          - {alert: Sum, expr: 'job:m:sum > 12', annotations: {s: '{{ printf "%.2f" $value }} {{ with query "count(m)" }}{{ . | first | value }}{{ end }}'}}
          - {alert: Chain, expr: 'count(ALERTS{alertstate="firing"}) > 1', for: 1m}
          - {record: 'alerts:pending', expr: 'count(ALERTS{alertstate="pending"})'}
          - {record: 'for:state', expr: 'max by (alertname) (ALERTS_FOR_STATE)'}
          - {alert: Gone, expr: 'absent(m{pod="p0"})'}
        """;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task PrometheusRecordsAndAlertsTheSame(int seed)
    {
        var random = new Random(seed);
        var series = Series(random);
        var lab = new RuleLab("load 1m\n" + string.Concat(series.Select(s => $"  {s.Series} {s.Values}\n")));
        var group = lab.Group(Rules);
        var cases = new StringBuilder("  alert_rule_test:\n");
        var checks = new StringBuilder("  promql_expr_test:\n");
        for (var tick = 0L; tick <= Minutes * Minute; tick += Minute)
        {
            await lab.RunAsync(group, tick, tick, Minute);
            Assert.All(group.Rules, r => Assert.Null(r.LastEvaluation.LastError));
            foreach (var rule in group.Rules.OfType<AlertingRule>())
            {
                Expect(cases, rule, tick);
            }

            var written = await lab.Query.EvaluateAsync("{__name__=~\".*:.*|above|ALERTS|ALERTS_FOR_STATE\"}", tick, CancellationToken.None);
            checks.Append($"  - expr: '{{__name__=~\".*:.*|above|ALERTS|ALERTS_FOR_STATE\"}}'\n    eval_time: {tick / Minute}m\n    exp_samples:\n");
            foreach (var sample in written.Samples)
            {
                checks.Append($"    - {{labels: {Quoted(Braced(sample.Labels))}, value: {sample.Value.ToString("R", CultureInfo.InvariantCulture)}}}\n");
            }
        }

        using var directory = new TemporaryDirectory();
        directory.Write("rules.yml", Rules);
        var test = $"rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n{string.Concat(series.Select(s => $"  - {{series: {Quoted(s.Series)}, values: '{s.Values}'}}\n"))}{cases}{checks}";
        directory.Write("test.yml", test);
        var (exitCode, output) = Promtool.Run(directory.Path, "test", "rules", "test.yml");
        Assert.True(exitCode == 0, $"seed {seed}: {output}");
        var ours = new StringWriter();
        Assert.True(await Metrics.Rules.UnitTests.RuleTest.RunAsync([System.IO.Path.Combine(directory.Path, "test.yml")], new ParseOptions(), ours, null, CancellationToken.None), ours.ToString());
    }

    private static void Expect(StringBuilder cases, AlertingRule rule, long tick)
    {
        cases.Append($"  - eval_time: {tick / Minute}m\n    alertname: {rule.Name}\n    exp_alerts:\n");
        foreach (var alert in rule.ActiveAlerts.Where(a => a.State == AlertState.Firing))
        {
            var labels = string.Join(", ", alert.Labels.AsEnumerable().Where(l => l.Key != "alertname").Select(l => $"{l.Key}: {Quoted(l.Value)}"));
            var annotations = string.Join(", ", alert.Annotations.Select(a => $"{a.Key}: {Quoted(a.Value)}"));
            cases.Append($"    - {{exp_labels: {{{labels}}}, exp_annotations: {{{annotations}}}}}\n");
        }
    }

    /// <summary>Whole numbers, so that the order of adding does not show, that wander, vanish and come back.</summary>
    private static List<(string Series, string Values)> Series(Random random)
    {
        var series = new List<(string, string)>();
        for (var pod = 0; pod < 5; pod++)
        {
            var gauge = new List<string>();
            var counter = new List<string>();
            var value = random.Next(10);
            var total = 0;
            for (var minute = 0; minute <= Minutes; minute++)
            {
                value = Math.Clamp(value + random.Next(-2, 3), 0, 10);
                total = random.Next(20) == 0 ? 0 : total + random.Next(100);
                gauge.Add(random.Next(12) switch { 0 => "stale", 1 => "_", _ => value.ToString(CultureInfo.InvariantCulture) });
                counter.Add(random.Next(10) == 0 ? "_" : total.ToString(CultureInfo.InvariantCulture));
            }

            series.Add(($"m{{job=\"j{pod % 2}\",pod=\"p{pod}\"}}", string.Join(' ', gauge)));
            series.Add(($"c{{job=\"j{pod % 2}\",pod=\"p{pod}\"}}", string.Join(' ', counter)));
        }

        return series;
    }

    private static string Braced(Labels labels) => $"{{{string.Join(",", labels.AsEnumerable().Select(l => $"{l.Key}={LabelsText.Quote(l.Value)}"))}}}";

    private static string Quoted(string text) => $"'{text.Replace("'", "''")}'";
}
