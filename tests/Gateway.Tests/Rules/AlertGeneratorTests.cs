using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>The four test cases of the alert generator specification (prometheus/compliance, alert_generator/cases), over HTTP: remote write in, rules through the ruler API, and at
/// every tick what the rules, alerts and query APIs show and an Alertmanager hears.</summary>
/// <remarks>
/// The suite takes up to 45 minutes of real time; here the clock of the rules is moved from tick to tick. Times are counted in steps of 15 s, the suite's remote write interval; groups are
/// evaluated every second step, and a change at an odd step is seen at the next. Notifications are repeated once more than the resend delay of a minute has passed, so at every third tick.
/// </remarks>
public sealed class AlertGeneratorTests
{
    private const long Step = 15_000;
    private const string Metric = "alert_generator_test_suite";

    /// <summary>
    /// Pending to firing to inactive; changing annotations; sent when first firing and inactive, and again at intervals, inactive ones for a quarter of an hour; active again while inactive
    /// ones were still being sent.
    /// </summary>
    [Fact]
    public async Task PendingAndFiringAndResolved()
    {
        const string group = nameof(PendingAndFiringAndResolved);
        var series = Series(group, "SimpleAlert", "");
        await RunAsync(
            group,
            """
            - alert: SimpleAlert
              expr: '[SimpleAlert] > 10'
              for: 6m
              labels: {foo: bar, rulegroup: GROUP}
              annotations: {description: SimpleAlert is firing, summary: 'The value is {{$value}} {{.Value}}'}
            """,
            [(series, Samples("3 5 0x2 9 0x3 11 0x12 15 0x11 0x20 19 0x15 9 0x19 15 0x24 0x20 8 0x75"))],
            209,
            step =>
            {
                string Alert(string state, int value, int since) =>
                    $"SimpleAlert {state} {value} since {since} foo=bar,rulegroup={group} description=SimpleAlert is firing,summary=The value is {value} {value}";
                return step switch
                {
                    < 8 => [],
                    < 21 => [Alert("pending", 11, 8)],
                    < 32 => [Alert("pending", 15, 8)],
                    < 53 => [Alert("firing", 15, 8)],
                    < 69 => [Alert("firing", 19, 8)],
                    < 90 => [],
                    < 114 => [Alert("pending", 15, 90)],
                    < 134 => [Alert("firing", 15, 90)],
                    _ => [],
                };
            },
            [("SimpleAlert", 32, 70, 88), ("SimpleAlert", 114, 134, 194)]);
    }

    /// <summary>Pending to inactive is never sent; a rule that never becomes active; no more data while it is pending.</summary>
    [Fact]
    public async Task PendingAndResolved_AlwaysInactive()
    {
        const string group = nameof(PendingAndResolved_AlwaysInactive);
        await RunAsync(
            group,
            """
            - {alert: Pending, expr: '[Pending] > 10', for: 3m, labels: {foo: bar, rulegroup: GROUP}, annotations: {description: SimpleAlert is firing}}
            - {alert: Inactive, expr: '[Inactive] > 99', for: 3m, labels: {ba_dum: tss, rulegroup: GROUP}, annotations: {description: This should never fire}}
            - {alert: NoData, expr: '[NoData] > 10', for: 1h}
            """,
            [
                (Series(group, "Pending", ""), Samples("3 5 0x2 9 0x3 11 0x10 9")),
                (Series(group, "Inactive", ""), Samples("3 5 0x2 9 0x3 11 0x10 9")),
                (Series(group, "NoData", ""), Samples("11 0x3")),
            ],
            59,
            step =>
            [
                .. step < 23 ? new[] { $"NoData pending 11 since 0 rulegroup={group} " } : [],
                .. step is >= 8 and < 19 ? [$"Pending pending 11 since 8 foo=bar,rulegroup={group} description=SimpleAlert is firing"] : Array.Empty<string>(),
            ],
            []);
    }

    /// <summary>
    /// No <c>for</c> fires at once; one shorter than the interval fires at the second tick; firing again after the inactive ones were no longer sent; no more data while it is firing; the
    /// functions of templates.
    /// </summary>
    [Fact]
    public async Task ZeroFor_SmallFor()
    {
        const string group = nameof(ZeroFor_SmallFor);
        const string samples = "3 5 0x2 9 0x3 15 0x12 9 0x71 11 0x12 9";
        await RunAsync(
            group,
            """
            - alert: ZeroFor
              expr: '[ZeroFor] > 10'
              labels: {foo: bar, rulegroup: GROUP}
              annotations:
                description: This should immediately fire
                template_query_test: '{{ define "testtemplate" }}Args are: {{.arg0}} {{.arg1}} {{.arg2}}. {{ with query "alert_generator_test_suite{rulegroup=''GROUP'',for=''template''}" }}first_id:{{ . | sortByLabel "id" | first | label "id"}},{{ range $v := sortByLabel "id" .}}{{ . | label "id" }}:{{ . | value }},{{end}}{{end}}{{ end }}{{ template "testtemplate" (args "foo" "bar" 99) }}'
                template_test: '{{humanize 1048576}} {{humanize1024 1048576}} {{humanizeDuration 135.3563}} {{humanizePercentage 0.959}} {{humanizeTimestamp 1643114203}}'
            - alert: SmallFor
              expr: '[SmallFor] > 13'
              for: 15s
              labels: {ba_dum: tss, rulegroup: GROUP}
              annotations:
                description: This should fire after an interval
                template_test: '{{title "this part"}} {{toUpper "is testing"}} {{toLower "THE STRINGS"}}. {{ stripPort "[::1]:6006"}} {{ stripPort "127.0.0.1:4004"}}. {{parseDuration "2h10m15s"}}. {{if match "[0-9]+" "1234"}}{{reReplaceAll "r.*d" "replaced" "rpld text"}}{{end}}. {{if match "[0-9]+$" "1234a"}}WRONG{{end}}.'
            """,
            [
                (Series(group, "ZeroFor", ""), Samples(samples)),
                (Series(group, "SmallFor", ""), Samples(samples)),
                .. Enumerable.Range(1, 3).Select(i => ($"__name__={Metric},__value__=val{i},for=template,id={100 + i},rulegroup={group}", Samples($"{i} 0x27 {2 * i} 0x200"))),
            ],
            127,
            step =>
            {
                string Zero(int value, int since, string ids) =>
                    $"ZeroFor firing {value} since {since} foo=bar,rulegroup={group} description=This should immediately fire,template_query_test=Args are: foo bar 99. first_id:101,{ids},template_test=1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC";
                string Small(string state) =>
                    $"SmallFor {state} 15 since 8 ba_dum=tss,rulegroup={group} description=This should fire after an interval,template_test=This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text. .";
                return step switch
                {
                    < 8 => [],
                    8 => [Small("pending"), Zero(15, 8, "101:1,102:2,103:3,")],
                    < 21 => [Small("firing"), Zero(15, 8, "101:1,102:2,103:3,")],
                    < 94 => [],
                    < 106 => [Zero(11, 94, "101:2,102:4,103:6,")],
                    _ => [],
                };
            },
            [("ZeroFor", 8, 22, 82), ("SmallFor", 10, 22, 82), ("ZeroFor", 94, 106, 126)]);
    }

    /// <summary>New alerts while others are active; a rule on the ALERTS of the rule above it; templates see the labels of the result, not those of the rule.</summary>
    [Fact]
    public async Task NewAlerts_OrderCheck()
    {
        const string group = nameof(NewAlerts_OrderCheck);
        await RunAsync(
            group,
            """
            - alert: Rule1
              expr: '[Rule1] > 10'
              for: 3m
              labels: {foo: bar, rulegroup: GROUP}
              annotations: {description: This should produce more alerts later}
            - alert: Rule2
              expr: '(ALERTS{alertstate="firing", alertname="Rule1", foo="bar", rulegroup="GROUP", variant="one"} + ignoring(variant) ALERTS{alertstate="firing", alertname="Rule1", foo="bar", rulegroup="GROUP", variant="two"}) == 2'
              labels: {ba_dum: tss, foo: baz, rulegroup: GROUP}
              annotations: {description: 'Based on ALERTS. Old alertname was {{$labels.alertname}}. foo was {{.Labels.foo}}.'}
            """,
            [(Series(group, "Rule1", ",variant=one"), Samples("1 0x7 11 0x64 9 0x20")), (Series(group, "Rule1", ",variant=two"), Samples("1 0x31 11 0x32 9 0x28"))],
            93,
            step =>
            {
                string First(string variant, string state, int since) => $"Rule1 {state} 11 since {since} foo=bar,rulegroup={group},variant={variant} description=This should produce more alerts later";
                string[] one = step < 8 || step >= 73 ? [] : [First("one", step < 20 ? "pending" : "firing", 8)];
                string[] two = step < 32 || step >= 65 ? [] : [First("two", step < 44 ? "pending" : "firing", 32)];
                string[] both = step is >= 44 and < 65
                    ? [$"Rule2 firing 2 since 44 alertstate=firing,ba_dum=tss,foo=baz,rulegroup={group} description=Based on ALERTS. Old alertname was Rule1. foo was bar."] : [];
                return [.. one, .. two, .. both];
            },
            [("Rule1", 20, 74, 92), ("Rule1", 44, 66, 90), ("Rule2", 44, 66, 90)]);
    }

    /// <summary>Step 4 of the specification: doubled alerts are an error that the API shows; nothing is sent or stored.</summary>
    [Fact]
    public async Task DoubledAlertsAreAnErrorAndNothingIsSent()
    {
        await using var receiver = new AlertReceiver();
        await using var server = await StartAsync(receiver);
        var tick = RuleServer.FirstTick("g", 2 * Step) + (2 * Step);
        await server.WriteAsync("team", ("__name__=m,a=1", [(tick, 1)]), ("__name__=m,a=2", [(tick, 1)]));
        await server.SetAsync("team", "name: g\ninterval: 30s\nrules:\n- {alert: A, expr: m, labels: {a: same}}\n- {alert: B, expr: 'm{a=\"1\"}'}\n");
        await server.TickAsync("team", "g", tick - (2 * Step));
        var rule = (await server.TickAsync("team", "g", tick)).GetProperty("rules")[0];
        Assert.Equal(
            ("err", "vector contains metrics with the same labelset after applying alert labels", 0),
            (rule.GetProperty("health").GetString(), rule.GetProperty("lastError").GetString(), rule.GetProperty("alerts").GetArrayLength()));
        await receiver.UntilAsync(1);
        Assert.Equal("B", receiver.Received.Single().GetProperty("labels").GetProperty("alertname").GetString());
        Assert.Equal("{__name__=ALERTS,a=1,alertname=B,alertstate=firing} 1", await server.QueryAsync("team", "ALERTS", tick));
    }

    private static Task<RuleServer> StartAsync(AlertReceiver receiver) => RuleServer.StartAsync(options => options.Rules.Alertmanagers = [$"http://{receiver.Address}"]);

    /// <summary>Runs a case: at each tick up to a step, what the APIs show; and at the end, what was sent.</summary>
    /// <param name="group">The name of the group.</param>
    /// <param name="rules">Its rules; see <see cref="Expanded"/>.</param>
    /// <param name="series">Its series, with a value for each step.</param>
    /// <param name="lastStep">When it ends.</param>
    /// <param name="expected">The alerts at a step: name, state, value, since when, labels, annotations.</param>
    /// <param name="sent">The alerts sent: name; the step of the first firing notification, of the first resolved one, and of the last; each is repeated at every sixth step.</param>
    private static async Task RunAsync(
        string group, string rules, (string Labels, double[] Values)[] series, int lastStep, Func<long, IReadOnlyList<string>> expected, (string Name, int Firing, int Resolved, int Last)[] sent)
    {
        await using var receiver = new AlertReceiver();
        await using var server = await StartAsync(receiver);
        // As in Prometheus, what the first evaluation after a start finds is not written yet, lest it replace what there is to restore.
        var zero = RuleServer.FirstTick(group, 2 * Step) + (2 * Step);
        await server.WriteAsync("team", [.. series.Select(s => (s.Labels, s.Values.Select((v, i) => (zero + (i * Step), v)).ToArray()))]);
        Assert.Equal(HttpStatusCode.Accepted, (await server.SetAsync("team", $"name: {group}\ninterval: 30s\nrules:\n{Expanded(rules, group)}\n")).Status);
        await server.TickAsync("team", group, zero - (2 * Step));
        var due = Due(sent);
        for (var step = 0L; step <= lastStep; step += 2)
        {
            var shown = await server.TickAsync("team", group, zero + (step * Step));
            Assert.Equal(30, shown.GetProperty("interval").GetInt32());
            var want = expected(step).Order(StringComparer.Ordinal).ToList();
            Assert.Equal(want.Select(w => $"{step}: {w}"), Alerts(shown.GetProperty("rules").EnumerateArray().SelectMany(r => r.GetProperty("alerts").EnumerateArray()), zero).Select(a => $"{step}: {a}"));
            Assert.Equal(want, Alerts((await server.GetAsync("team", "/api/v1/alerts")).GetProperty("alerts").EnumerateArray(), zero));
            foreach (var rule in shown.GetProperty("rules").EnumerateArray())
            {
                var states = want.Where(w => w.StartsWith(rule.GetProperty("name").GetString() + " ", StringComparison.Ordinal)).Select(w => w.Split(' ')[1]).ToList();
                Assert.Equal(states.Contains("firing") ? "firing" : states.Contains("pending") ? "pending" : "inactive", rule.GetProperty("state").GetString());
                Assert.Equal("ok", rule.GetProperty("health").GetString());
                Assert.False(rule.TryGetProperty("lastError", out _));
            }

            Assert.Equal(want.Select(SeriesOf).Order(StringComparer.Ordinal), Split(await server.QueryAsync("team", $"ALERTS{{rulegroup=\"{group}\"}}", zero + (step * Step))));
            await receiver.UntilAsync(due.Count(d => d.Step <= step));
        }

        Assert.Equal(due.Select(d => d.Text).Order(StringComparer.Ordinal), receiver.Received.Select(r => Sent(r, zero)).Order(StringComparer.Ordinal));
    }

    private static List<(long Step, string Text)> Due((string Name, int Firing, int Resolved, int Last)[] sent)
    {
        var due = new List<(long, string)>();
        foreach (var (name, firing, resolved, last) in sent)
        {
            for (var step = firing; step < resolved; step += 6)
            {
                due.Add((step, $"{name} from {firing} to {step + 16}"));
            }

            for (var step = resolved; step <= last; step += 6)
            {
                due.Add((step, $"{name} from {firing} to {resolved}"));
            }
        }

        return due;
    }

    private static string Sent(JsonElement alert, long zero) =>
        $"{alert.GetProperty("labels").GetProperty("alertname").GetString()} from {StepOf(alert.GetProperty("startsAt"), zero)} to {StepOf(alert.GetProperty("endsAt"), zero)}";

    private static double StepOf(JsonElement time, long zero) => (time.GetDateTimeOffset().ToUnixTimeMilliseconds() - zero) / (double)Step;

    private static List<string> Alerts(IEnumerable<JsonElement> alerts, long zero) => [.. alerts.Select(a =>
    {
        var value = double.Parse(a.GetProperty("value").GetString()!, CultureInfo.InvariantCulture);
        return $"{a.GetProperty("labels").GetProperty("alertname").GetString()} {a.GetProperty("state").GetString()} {value} since {StepOf(a.GetProperty("activeAt"), zero)} "
            + $"{Pairs(a.GetProperty("labels"))} {Pairs(a.GetProperty("annotations"))}";
    }).Order(StringComparer.Ordinal)];

    private static string Pairs(JsonElement pairs) =>
        string.Join(',', pairs.EnumerateObject().Where(p => p.Name != "alertname").OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => $"{p.Name}={p.Value.GetString()}"));

    /// <summary>The ALERTS series of an expected alert.</summary>
    private static string SeriesOf(string alert)
    {
        var parts = alert.Split(' ');
        var labels = parts[5].Split(',').Where(l => !l.StartsWith("alertstate=", StringComparison.Ordinal)).Concat([$"alertname={parts[0]}", $"alertstate={parts[1]}", "__name__=ALERTS"]);
        return $"{{{string.Join(',', labels.Order(StringComparer.Ordinal))}}} 1";
    }

    private static string[] Split(string vector) => vector.Length == 0 ? [] : vector.Split("; ");

    private static string Series(string group, string alert, string more) => $"__name__={Metric},alertname={alert},rulegroup={group}{more}";

    /// <summary>Rules with <c>GROUP</c> replaced by the group's name and, before an operator, <c>[Name]</c> by the selector of that alert's series.</summary>
    private static string Expanded(string rules, string group) =>
        Regex.Replace(rules.Replace("GROUP", group), @"\[(?<alert>\w+)\](?= >)", m => $"{{__name__=\"{Metric}\", alertname=\"{m.Groups["alert"].Value}\", rulegroup=\"{group}\"}}", RegexOptions.None, TimeSpan.FromSeconds(1));

    /// <summary>The suite's notation: a value, and <c>0xN</c> for N more of the same.</summary>
    private static double[] Samples(string text)
    {
        var values = new List<double>();
        foreach (var word in text.Split(' '))
        {
            if (word.StartsWith("0x", StringComparison.Ordinal))
            {
                values.AddRange(Enumerable.Repeat(values[^1], int.Parse(word[2..], CultureInfo.InvariantCulture)));
            }
            else
            {
                values.Add(double.Parse(word, CultureInfo.InvariantCulture));
            }
        }

        return [.. values];
    }
}
