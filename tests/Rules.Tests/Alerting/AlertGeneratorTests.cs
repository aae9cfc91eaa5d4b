using Metrics.Model;
using Metrics.Rules.Alerting;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;
using Metrics.Rules.Tests.Fakes;
using Xunit;

namespace Metrics.Rules.Tests.Alerting;

/// <summary>The scenarios of the alert generator specification (prometheus/compliance, alert_generator), on times of our own. Times are counted in steps of 15 s, as there.</summary>
public sealed class AlertGeneratorTests
{
    private const long Step = 15_000;

    private const string Series = "alert_generator_test_suite{rulegroup=\"G\",alertname=\"Rule\"}";

    /// <summary>Pending, firing with changing annotations, resolved and sent again, active again while resolved notifications were still going out.</summary>
    [Fact]
    public async Task PendingAndFiringAndResolved()
    {
        var lab = new RuleLab($"""
            load 15s
              {Series} 3 5+0x2 9+0x3 11+0x12 15+0x11 15+0x19 19+0x15 9+0x19 15+0x24 15+0x19 8+0x75
            """);
        var group = lab.Group("""
            groups:
            - name: PendingAndFiringAndResolved
              interval: 30s
              rules:
              - alert: SimpleAlert
                expr: '{__name__="alert_generator_test_suite", alertname="Rule", rulegroup="G"} > 10'
                for: 6m
                labels: {foo: bar, rulegroup: PendingAndFiringAndResolved}
                annotations:
                  description: SimpleAlert is firing
                  summary: The value is {{$value}} {{.Value}}
            """);
        var sent = new List<(long Step, AlertNotification Alert)>();
        await lab.RunAsync(group, 0, 209 * Step, 2 * Step, tick =>
        {
            var step = tick / Step;
            var alert = ((AlertingRule)group.Rules[0]).ActiveAlerts.SingleOrDefault();
            // The value changes at 8, 21, 53 (an odd step is seen at the next tick), 69 ends it, 89 begins it again, 134 ends it.
            var (state, value, since) = step switch
            {
                < 8 => (AlertState.Inactive, 0, 0),
                < 21 => (AlertState.Pending, 11, 8),
                < 32 => (AlertState.Pending, 15, 8),
                < 53 => (AlertState.Firing, 15, 8),
                < 69 => (AlertState.Firing, 19, 8),
                < 90 => (AlertState.Inactive, 0, 0),
                < 114 => (AlertState.Pending, 15, 90),
                < 134 => (AlertState.Firing, 15, 90),
                _ => (AlertState.Inactive, 0, 0),
            };
            Assert.Equal(state, alert?.State ?? AlertState.Inactive);
            Assert.Equal(state, ((AlertingRule)group.Rules[0]).State);
            if (alert is not null)
            {
                Assert.Equal((value, since * Step), (alert.Value, alert.ActiveAtMs));
                Assert.Equal(Labels.Of(("alertname", "SimpleAlert"), ("foo", "bar"), ("rulegroup", "PendingAndFiringAndResolved")), alert.Labels);
                Assert.Equal([new("description", "SimpleAlert is firing"), new("summary", $"The value is {value} {value}")], alert.Annotations);
            }

            sent.AddRange(lab.Notifier.Take().Select(n => (step, n)));
        });

        // A notification is due when more than a minute has passed, so at every third tick.
        Assert.Equal([32, 38, 44, 50, 56, 62, 68, 70, 76, 82, 88, 114, 120, 126, 132, 134, 140, 146, 152, 158, 164, 170, 176, 182, 188, 194], sent.Select(s => s.Step));
        foreach (var (step, alert) in sent)
        {
            var isResolved = step is >= 70 and < 90 or >= 134;
            Assert.Equal((step < 90 ? 32 : 114) * Step, alert.StartsAtMs);
            Assert.Equal(isResolved ? (step < 90 ? 70 : 134) * Step : (step * Step) + (4 * 60_000), alert.EndsAtMs);
            Assert.StartsWith("/graph?g0.expr=", alert.GeneratorUrl, StringComparison.Ordinal);
        }
    }

    /// <summary>New alerts while others are active; a rule on the ALERTS of the rule before it sees them in the same tick.</summary>
    [Fact]
    public async Task NewAlertsAndOrder()
    {
        var lab = new RuleLab("""
            load 15s
              alert_generator_test_suite{rulegroup="G",alertname="Rule1",variant="one"} 1+0x7 11+0x64 9+0x20
              alert_generator_test_suite{rulegroup="G",alertname="Rule1",variant="two"} 1+0x31 11+0x32 9+0x28
            """);
        var group = lab.Group("""
            groups:
            - name: NewAlerts_OrderCheck
              interval: 30s
              rules:
              - alert: Rule1
                expr: '{__name__="alert_generator_test_suite", alertname="Rule1", rulegroup="G"} > 10'
                for: 3m
                labels: {foo: bar, rulegroup: NewAlerts_OrderCheck}
                annotations: {description: This should produce more alerts later}
              - alert: Rule2
                expr: (ALERTS{alertstate="firing", alertname="Rule1", foo="bar", variant="one"} + ignoring(variant) ALERTS{alertstate="firing", alertname="Rule1", foo="bar", variant="two"}) == 2
                labels: {ba_dum: tss, foo: baz, rulegroup: NewAlerts_OrderCheck}
                annotations: {description: 'Based on ALERTS. Old alertname was {{$labels.alertname}}. foo was {{.Labels.foo}}.'}
            """);
        var first = (AlertingRule)group.Rules[0];
        var second = (AlertingRule)group.Rules[1];
        await lab.RunAsync(group, 0, 90 * Step, 2 * Step, tick =>
        {
            var step = tick / Step;
            string StateOf(string variant) => first.ActiveAlerts.SingleOrDefault(a => a.Labels["variant"] == variant)?.State.ToString() ?? "-";
            Assert.Equal(step < 8 ? "-" : step < 20 ? "Pending" : step < 73 ? "Firing" : "-", StateOf("one"));
            Assert.Equal(step < 32 ? "-" : step < 44 ? "Pending" : step < 65 ? "Firing" : "-", StateOf("two"));
            Assert.Equal(step is >= 44 and < 65, second.ActiveAlerts.Any());
            foreach (var alert in second.ActiveAlerts)
            {
                Assert.Equal(
                    (AlertState.Firing, 2.0, 44 * Step, Labels.Of(("alertname", "Rule2"), ("alertstate", "firing"), ("ba_dum", "tss"), ("foo", "baz"), ("rulegroup", "NewAlerts_OrderCheck"))),
                    (alert.State, alert.Value, alert.ActiveAtMs, alert.Labels));
                Assert.Equal("Based on ALERTS. Old alertname was Rule1. foo was bar.", alert.Annotations.Single().Value);
            }

            Assert.All(group.Rules, r => Assert.Equal(RuleHealth.Ok, r.LastEvaluation.Health));
        });
        Assert.Equal("", await lab.AskAsync("ALERTS", 75 * Step));
    }

    /// <summary>An alert that ends while it is pending is never sent; one that never begins leaves no trace.</summary>
    [Fact]
    public async Task PendingAndResolvedAndAlwaysInactive()
    {
        var lab = new RuleLab($"""
            load 15s
              {Series} 5+0x7 11+0x8 5+0x40
            """);
        var group = lab.Group("""
            groups:
            - name: g
              interval: 30s
              rules:
              - {alert: PendingAlert, expr: alert_generator_test_suite > 10, for: 3m, labels: {foo: bar}}
              - {alert: InactiveAlert, expr: alert_generator_test_suite > 99, for: 3m}
            """);
        var states = new List<AlertState>();
        await lab.RunAsync(group, 0, 50 * Step, 2 * Step, _ =>
        {
            states.Add(((AlertingRule)group.Rules[0]).State);
            Assert.Equal(AlertState.Inactive, ((AlertingRule)group.Rules[1]).State);
        });
        Assert.Equal([8, 10, 12, 14, 16], states.Select((s, i) => (s, i)).Where(s => s.s == AlertState.Pending).Select(s => s.i * 2));
        Assert.Empty(lab.Notifier.All);
        Assert.Equal("ALERTS{alertname=\"PendingAlert\", alertstate=\"pending\", foo=\"bar\", rulegroup=\"G\"} 1", await lab.AskAsync("ALERTS", 16 * Step));
        Assert.Equal("", await lab.AskAsync("ALERTS", 18 * Step));
    }

    /// <summary>No `for` fires at once; one shorter than the interval fires at the next tick. Templates are those of the suite.</summary>
    [Fact]
    public async Task ZeroForAndSmallFor()
    {
        var lab = new RuleLab($$"""
            load 15s
              {{Series}} 1+0x7 15+0x20 1+0x20
              alert_generator_test_suite{rulegroup="T",for="template",id="one"} 1+0x60
              alert_generator_test_suite{rulegroup="T",for="template",id="two"} 2+0x60
            """);
        var group = lab.Group("""
            groups:
            - name: g
              interval: 30s
              rules:
              - alert: ZeroFor
                expr: alert_generator_test_suite{rulegroup="G"} > 10
                annotations:
                  description: This should immediately fire
                  template_query_test: '{{ define "testtemplate" }}Args are: {{.arg0}} {{.arg1}} {{.arg2}}. {{ with query "alert_generator_test_suite{rulegroup=''T'',for=''template''}" }}first_id:{{ . | sortByLabel "id" | first | label "id"}},{{ range $v := sortByLabel "id" .}}{{ . | label "id" }}:{{ . | value }},{{end}}{{end}}{{ end }}{{ template "testtemplate" (args "foo" "bar" 99) }}'
              - {alert: SmallFor, expr: 'alert_generator_test_suite{rulegroup="G"} > 13', for: 15s}
            """);
        await lab.RunAsync(group, 0, 34 * Step, 2 * Step, tick =>
        {
            var step = tick / Step;
            Assert.Equal(step is >= 8 and < 29 ? AlertState.Firing : AlertState.Inactive, ((AlertingRule)group.Rules[0]).State);
            Assert.Equal(step is 8 ? AlertState.Pending : step is > 8 and < 29 ? AlertState.Firing : AlertState.Inactive, ((AlertingRule)group.Rules[1]).State);
            if (((AlertingRule)group.Rules[0]).ActiveAlerts.SingleOrDefault() is { } alert)
            {
                Assert.Equal("Args are: foo bar 99. first_id:one,one:1,two:2,", alert.Annotations.Single(a => a.Key == "template_query_test").Value);
            }
        });
        Assert.Equal(8 * Step, lab.Notifier.All.First(n => n.Labels["alertname"] == "ZeroFor").StartsAtMs);
        Assert.Equal(10 * Step, lab.Notifier.All.First(n => n.Labels["alertname"] == "SmallFor").StartsAtMs);
    }

    /// <summary>Step 4 of the specification: two alerts with the same labels are an error, nothing is sent and nothing stored.</summary>
    [Fact]
    public async Task DoubledAlertsAreAnError()
    {
        var lab = new RuleLab("load 15s\n  m{a=\"1\"} 1 1\n  m{a=\"2\"} 1 1");
        var group = lab.Group("groups: [{name: g, rules: [{alert: A, expr: m, labels: {a: same}}]}]");
        await lab.RunAsync(group, 0, 0, Step);
        Assert.Equal((RuleHealth.Error, "vector contains metrics with the same labelset after applying alert labels"), (group.Rules[0].LastEvaluation.Health, group.Rules[0].LastEvaluation.LastError));
        Assert.Empty(lab.Notifier.All);
        Assert.Equal("", await lab.AskAsync("ALERTS", 0));
    }
}
