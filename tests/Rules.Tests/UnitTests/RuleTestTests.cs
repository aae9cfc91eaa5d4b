using Metrics.PromQL.Parsing;
using Metrics.Rules.Tests.Fakes;
using Metrics.Rules.UnitTests;
using Xunit;

namespace Metrics.Rules.Tests.UnitTests;

/// <summary><c>rules test</c> and <c>promtool test rules</c> agree.</summary>
[Trait("Category", "Peers")]
public sealed class RuleTestTests
{
    private const string Rules = """
        groups:
        - name: first
          rules:
          - record: job:requests:rate5m
            expr: sum by (job) (rate(requests_total[5m]))
          - alert: InstanceDown
            expr: up == 0
            for: 5m
            labels: {severity: page}
            annotations:
              summary: 'Instance {{ $labels.instance }} down'
              value: '{{ $value | humanize }} {{ $externalLabels.region }} {{ $externalURL }}'
        - name: second
          rules:
          - record: job:requests:double
            expr: job:requests:rate5m * 2
          - alert: Always
            expr: vector(1)
            labels: {q: '{{ query "count(up)" | first | value }}'}
          - alert: Watch
            expr: ALERTS{alertname="InstanceDown", alertstate="firing"}
        """;

    [Theory]
    [InlineData("""
        alert_rule_test:
        - eval_time: 10m
          alertname: InstanceDown
          exp_alerts:
          - exp_labels: {severity: page, instance: 'localhost:9090', job: prometheus}
            exp_annotations: {summary: 'Instance localhost:9090 down', value: '0 eu http://m.example'}
        - {eval_time: 4m, alertname: InstanceDown}
        - eval_time: 10m
          alertname: Always
          exp_alerts: [{exp_labels: {q: 2}}]
        - eval_time: 10m
          alertname: Watch
          exp_alerts: [{exp_labels: {alertstate: firing, severity: page, instance: 'localhost:9090', job: prometheus}}]
        """, true)]
    [InlineData("""
        alert_rule_test:
        - {eval_time: 10m, alertname: InstanceDown}
        """, false)]
    [InlineData("""
        alert_rule_test:
        - eval_time: 10m
          alertname: Always
          exp_alerts: [{exp_labels: {q: 3}}]
        """, false)]
    [InlineData("""
        alert_rule_test:
        - {eval_time: 10m, exp_alerts: []}
        """, false)]
    [InlineData("""
        promql_expr_test:
        - expr: job:requests:rate5m
          eval_time: 10m
          exp_samples: [{labels: 'job:requests:rate5m{job="a"}', value: 1}]
        - expr: job:requests:double
          eval_time: 10m
          exp_samples: [{labels: 'job:requests:double{job="a"}', value: 2}]
        - expr: up
          eval_time: 1m30s
          exp_samples:
          - {labels: 'up{job="prometheus", instance="localhost:9090"}', value: 1}
          - {labels: '{__name__="up",job="node_exporter",instance="localhost:9100"}', value: 1}
        - expr: count(ALERTS) by (alertname, alertstate)
          eval_time: 4m
          exp_samples:
          - {labels: '{alertname="Always", alertstate="firing"}', value: 1}
          - {labels: '{alertname="InstanceDown", alertstate="pending"}', value: 1}
        - {expr: absent_metric, eval_time: 4m}
        - expr: sum_over_time(up[2m:])
          eval_time: 2m30s
          exp_samples: [{labels: '{job="prometheus", instance="localhost:9090"}', value: 2}, {labels: '{job="node_exporter", instance="localhost:9100"}', value: 2}]
        """, true)]
    [InlineData("""
        promql_expr_test:
        - {expr: up, eval_time: 1m, exp_samples: [{labels: up, value: 1}]}
        """, false)]
    [InlineData("""
        promql_expr_test:
        - {expr: 'sum(', eval_time: 1m}
        """, false)]
    [InlineData("""
        promql_expr_test:
        - {expr: 'up', eval_time: 1m, exp_samples: [{labels: 'up{', value: 1}]}
        """, false)]
    [InlineData("nonsense: 1", false)]
    public async Task PromtoolAgrees(string cases, bool want)
    {
        using var directory = new TemporaryDirectory();
        directory.Write("rules.yml", Rules);
        var test = directory.Write("test.yml", $"""
            rule_files: [rul*.yml]
            evaluation_interval: 1m
            group_eval_order: [first, second]
            tests:
            - interval: 1m
              name: test one
              external_labels: {"{"}region: eu{"}"}
              external_url: http://m.example
              input_series:
              - series: up{"{"}job="prometheus", instance="localhost:9090"{"}"}
                values: '1 1 1x0 0x10'
              - series: up{"{"}job="node_exporter", instance="localhost:9100"{"}"}
                values: '1+0x6 _ _ 1 1 stale'
              - series: requests_total{"{"}job="a", pod="1"{"}"}
                values: '0+60x20'
            {string.Join('\n', cases.Split('\n').Select(l => "  " + l))}
            """);
        var (exitCode, theirs) = Promtool.Run(directory.Path, "test", "rules", "test.yml");
        var output = new StringWriter();
        var passed = await RuleTest.RunAsync([test], new ParseOptions(), output, null, CancellationToken.None);
        Assert.True(exitCode == 0 == passed, $"promtool said {theirs}\nwe said {output}");
        Assert.Equal(want, passed);
    }

    [Fact]
    public async Task AFailureShowsGotAndWant()
    {
        using var directory = new TemporaryDirectory();
        directory.Write("rules.yml", Rules);
        var test = directory.Write("test.yml", """
            rule_files: [rules.yml]
            tests:
            - input_series: [{series: up, values: '0x10'}]
              promql_expr_test: [{expr: up + 1, eval_time: 1m, exp_samples: [{labels: '{}', value: 2}]}]
              alert_rule_test: [{eval_time: 6m, alertname: InstanceDown}]
            """);
        var output = new StringWriter();
        Assert.False(await RuleTest.RunAsync([test], new ParseOptions(), output, null, CancellationToken.None));
        var text = output.ToString();
        Assert.Contains("    expr: \"up + 1\", time: 1m,\n        exp: {} 2E+00\n        got: {} 1E+00", text, StringComparison.Ordinal);
        Assert.Contains("    alertname: InstanceDown, time: 6m, \n        exp:[], \n        got:[\n                0:\n                  Labels:{alertname=\"InstanceDown\", severity=\"page\"}", text, StringComparison.Ordinal);
        Assert.Contains("FAILED", text, StringComparison.Ordinal);
        // promtool words it the same way.
        var (_, theirs) = Promtool.Run(directory.Path, "test", "rules", "test.yml");
        Assert.Contains("    expr: \"up + 1\", time: 1m,\n        exp: {} 2E+00\n        got: {} 1E+00", theirs, StringComparison.Ordinal);
    }
}
