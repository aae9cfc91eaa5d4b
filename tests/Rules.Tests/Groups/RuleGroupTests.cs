using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.Rules.Alerting;
using Metrics.Rules.Groups;
using Metrics.Rules.Tests.Fakes;
using Xunit;

namespace Metrics.Rules.Tests.Groups;

public sealed class RuleGroupTests
{
    private const long Minute = 60_000;

    [Fact]
    public async Task ARuleSeesWhatTheRuleBeforeItWroteInTheSameTick()
    {
        var lab = new RuleLab("load 1m\n  m{a=\"x\"} 1 2 3\n  m{a=\"y\"} 10 20 30");
        var group = lab.Group("""
            groups:
            - name: g
              labels: {team: db, kind: group}
              rules:
              - {record: 'm:sum', expr: sum(m), labels: {kind: rule}}
              - {record: 'm:double', expr: 'm:sum * 2', labels: {kind: ''}}
              - {record: 'm:time', expr: time()}
            """);
        await lab.RunAsync(group, 0, 2 * Minute, Minute);
        Assert.Equal("m:sum{kind=\"rule\", team=\"db\"} 33", await lab.AskAsync("m:sum", 2 * Minute));
        // An empty label takes away what the result or the group has.
        Assert.Equal("m:double{team=\"db\"} 66", await lab.AskAsync("m:double", 2 * Minute));
        Assert.Equal("m:time{kind=\"group\", team=\"db\"} 120", await lab.AskAsync("m:time", 2 * Minute));
        Assert.Equal((3, 9, 0, 3), (group.Counters.Iterations, group.Counters.Evaluations, group.Counters.Failures, group.Counters.LastSamples));
    }

    [Fact]
    public async Task ASeriesThatVanishesEndsAtOnce()
    {
        var lab = new RuleLab("load 1m\n  m{a=\"x\"} 1 1 0 0 1\n  m{a=\"y\"} 1 1 1 1 1");
        var group = lab.Group("groups: [{name: g, rules: [{record: r, expr: m > 0}]}]");
        await lab.RunAsync(group, 0, 4 * Minute, Minute);
        Assert.Equal("r{a=\"x\"} 1; r{a=\"y\"} 1", await lab.AskAsync("r", Minute));
        Assert.Equal("r{a=\"y\"} 1", await lab.AskAsync("r", 2 * Minute));
        Assert.Equal("r{a=\"y\"} 1", await lab.AskAsync("r", 3 * Minute));
        Assert.Equal("r{a=\"x\"} 1; r{a=\"y\"} 1", await lab.AskAsync("r", 4 * Minute));
    }

    [Fact]
    public async Task TheQueryOffsetMovesWhatIsReadAndWritten()
    {
        var lab = new RuleLab("load 1m\n  m 1 2 3 4");
        var group = lab.Group("groups: [{name: g, query_offset: 1m, rules: [{record: r, expr: m}, {alert: A, expr: m == 3}]}]");
        await lab.RunAsync(group, Minute, 3 * Minute, Minute);
        Assert.Equal("r 2", await lab.AskAsync("r", Minute));
        Assert.Equal("r 3", await lab.AskAsync("r", 2 * Minute));
        Assert.Equal("ALERTS{alertname=\"A\", alertstate=\"firing\"} 1", await lab.AskAsync("ALERTS", 2 * Minute));
        Assert.Equal(3 * Minute, ((AlertingRule)group.Rules[1]).ActiveAlerts.Single().ActiveAtMs);
    }

    [Fact]
    public async Task ARuleBeyondTheLimitGivesNothing()
    {
        var lab = new RuleLab("load 1m\n  m{a=\"x\"} 1 1\n  m{a=\"y\"} 0 1");
        var group = lab.Group("groups: [{name: g, limit: 1, rules: [{record: r, expr: m > 0}, {alert: A, expr: m > 0}, {record: ok, expr: sum(m)}]}]");
        await lab.RunAsync(group, 0, Minute, Minute);
        Assert.Equal(["exceeded limit of 1 with 2 series", "exceeded limit of 1 with 2 alerts", null], group.Rules.Select(r => r.LastEvaluation.LastError));
        Assert.Empty(((AlertingRule)group.Rules[1]).Alerts);
        Assert.Equal("ok 2", await lab.AskAsync("ok", Minute));
    }

    [Fact]
    public async Task ARuleThatFailsLeavesTheOthersAlone()
    {
        var lab = new RuleLab("load 1m\n  m{a=\"x\"} 1 1\n  m{a=\"y\"} 1 1");
        var group = lab.Group("groups: [{name: g, rules: [{record: r, expr: m, labels: {a: z}}, {record: s, expr: 'm * on() m'}, {record: t, expr: 'm'}]}]");
        await lab.RunAsync(group, 0, 0, Minute);
        Assert.Equal("vector contains metrics with the same labelset after applying rule labels", group.Rules[0].LastEvaluation.LastError);
        Assert.Contains("found duplicate series for the match group", group.Rules[1].LastEvaluation.LastError, StringComparison.Ordinal);
        Assert.Equal([RuleHealth.Error, RuleHealth.Error, RuleHealth.Ok], group.Rules.Select(r => r.LastEvaluation.Health));
        Assert.Equal(2, lab.Observer.All.Count);
        Assert.Equal(2, group.Counters.Failures);
    }

    [Fact]
    public async Task AnAppendThatFailsIsMadeGoodByTheNextTick()
    {
        var lab = new RuleLab("load 1m\n  m 1 1 0 0");
        var group = lab.Group("groups: [{name: g, rules: [{record: r, expr: m > 0}]}]");
        await lab.RunAsync(group, 0, Minute, Minute);
        lab.BeforeAppend = _ => throw new IOException("shard is unavailable");
        await lab.RunAsync(group, 2 * Minute, 2 * Minute, Minute);
        Assert.Equal("shard is unavailable", group.Rules[0].LastEvaluation.LastError);
        lab.BeforeAppend = null;
        await lab.RunAsync(group, 3 * Minute, 3 * Minute, Minute);
        Assert.Equal("", await lab.AskAsync("r", 3 * Minute));
    }

    [Fact]
    public async Task ATemplateThatFailsShowsInTheAlert()
    {
        var lab = new RuleLab("load 1m\n  m 1");
        var group = lab.Group("groups: [{name: g, rules: [{alert: A, expr: m, annotations: {a: '{{ .Foo }}', b: fine}}]}]");
        await lab.RunAsync(group, 0, 0, Minute);
        var alert = ((AlertingRule)group.Rules[0]).Alerts.Single();
        Assert.StartsWith("<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing \"__alert_A\" at <.Foo>: can't evaluate field Foo", alert.Annotations[0].Value, StringComparison.Ordinal);
        Assert.Equal("fine", alert.Annotations[1].Value);
        Assert.Single(lab.Observer.All);
    }

    [Fact]
    public async Task ATickIsEvaluatedOnce()
    {
        var lab = new RuleLab();
        var group = lab.Group("groups: [{name: g, rules: []}]");
        await group.EvaluateAsync(Minute, CancellationToken.None);
        await Assert.ThrowsAsync<InvalidOperationException>(() => group.EvaluateAsync(Minute, CancellationToken.None));
    }

    /// <summary>A new owner that gets the state goes on as if it were the old one: the same series, the same notifications, nothing twice.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(9)]
    [InlineData(12)]
    public async Task AnOwnerChangeIsNotSeen(int changeAtMinute)
    {
        const string load = "load 1m\n  m{a=\"x\"} 0 0 1+0x4 0+0x3 1+0x9\n  m{a=\"y\"} 1+0x12 0+0x5";
        const string yaml = """
            groups:
            - name: g
              rules:
              - {record: r, expr: m > 0}
              - {alert: A, expr: r, for: 3m, labels: {severity: page}, annotations: {v: '{{ $value }}'}}
              - {alert: K, expr: r, keep_firing_for: 2m}
            """;
        var (undisturbed, wanted) = await Run(null);
        var (changed, got) = await Run(changeAtMinute * Minute);
        for (var minute = 0; minute <= 18; minute++)
        {
            foreach (var query in new[] { "r", "ALERTS", "ALERTS_FOR_STATE" })
            {
                Assert.Equal(await undisturbed.AskAsync(query, minute * Minute), await changed.AskAsync(query, minute * Minute));
            }
        }

        Assert.Equal(wanted, got);

        async Task<(RuleLab, List<string>)> Run(long? changeAtMs)
        {
            var lab = new RuleLab(load);
            var group = lab.Group(yaml);
            for (var tick = 0L; tick <= 18 * Minute; tick += Minute)
            {
                if (tick == changeAtMs)
                {
                    var state = GroupState.FromJson(group.Capture().ToJson());
                    group = lab.Group(yaml, restores: true);
                    group.Continue(state);
                }

                await lab.RunAsync(group, tick, tick, Minute);
            }

            return (lab, [.. lab.Notifier.All.Select(n => $"{n.Labels} {n.StartsAtMs} {n.EndsAtMs} {string.Join(',', n.Annotations)}")]);
        }
    }

    /// <summary>Without the state, the wait of pending alerts is restored from their series, with outage tolerance and grace.</summary>
    [Theory]
    // for, active for, down for (minutes); when it fires again, minutes after coming back. The first tick back restores; ALERTS is written from the second on.
    [InlineData(60, 20, 5, 40)] // 40 minutes were left; the outage does not count.
    [InlineData(60, 55, 5, 10)] // 5 were left, less than the grace of 10.
    [InlineData(60, 70, 5, 1)] // It was firing: it fires at the next tick.
    [InlineData(60, 20, 70, 60)] // Too long away: it waits anew.
    [InlineData(5, 4, 2, 5)] // A short wait is not restored.
    public async Task PendingAlertsAreRestoredFromTheirSeries(int forMinutes, int activeMinutes, int downMinutes, int wantMinutes)
    {
        var lab = new RuleLab("load 1m\n  m{a=\"x\"} 1+0x400");
        var yaml = $"groups: [{{name: g, rules: [{{alert: A, expr: m, for: {forMinutes}m, labels: {{s: '{{{{ $labels.a }}}}', t: fixed}}}}]}}]";
        await lab.RunAsync(lab.Group(yaml), 0, activeMinutes * Minute, Minute);
        lab.Notifier.Take();
        var back = (activeMinutes + downMinutes) * Minute;
        var group = lab.Group(yaml, restores: true);
        long? firedAt = null;
        await lab.RunAsync(group, back, back + (100 * Minute), Minute, tick =>
        {
            if (firedAt is null && ((AlertingRule)group.Rules[0]).State == AlertState.Firing)
            {
                firedAt = tick;
            }
        });
        Assert.Equal(wantMinutes, (firedAt - back) / Minute);
        Assert.Equal(firedAt, lab.Notifier.All[0].StartsAtMs);
        // A gap of one tick.
        Assert.Equal("ALERTS{a=\"x\", alertname=\"A\", alertstate=\"" + (wantMinutes <= 1 ? "firing" : "pending") + "\", s=\"x\", t=\"fixed\"} 1", await lab.AskAsync("last_over_time(ALERTS[1m])", back + Minute));
    }

    [Fact]
    public async Task AnAlertThatHadEndedIsNotRestored()
    {
        var lab = new RuleLab("load 1m\n  m 1+0x20 0+0x10 1+0x400");
        const string yaml = "groups: [{name: g, rules: [{alert: A, expr: m > 0, for: 1h}]}]";
        await lab.RunAsync(lab.Group(yaml), 0, 25 * Minute, Minute);
        var group = lab.Group(yaml, restores: true);
        await lab.RunAsync(group, 40 * Minute, 42 * Minute, Minute);
        Assert.Equal(40 * Minute, ((AlertingRule)group.Rules[0]).Alerts.Single().ActiveAtMs);
    }

    [Fact]
    public void StateThatIsSomethingElseIsRefused()
    {
        foreach (var text in new[] { "", "[]", "{}", "{\"version\":2}", "{\"version\":1,\"ended\":[],\"rules\":[{}]}", "null", "{\"version\":1,\"ended\":5,\"rules\":[]}" })
        {
            Assert.Throws<FormatException>(() => GroupState.FromJson(System.Text.Encoding.UTF8.GetBytes(text)));
        }
    }

    [Fact]
    public void RulesThatCannotNoticeEachOtherShareAStep()
    {
        static string Steps(string rules) => string.Join(" | ", RuleDependencies.StepsOf(new RuleLab().Group($"groups: [{{name: g, rules: [{rules}]}}]").Rules).Select(s => string.Join(',', s)));
        Assert.Equal("0,1,2", Steps("{record: a, expr: x}, {record: b, expr: y}, {alert: C, expr: z}"));
        Assert.Equal("0,2 | 1", Steps("{record: a, expr: x}, {record: b, expr: 'rate(a[5m])'}, {record: c, expr: z}"));
        Assert.Equal("0 | 1 | 2", Steps("{record: a, expr: x}, {record: b, expr: a}, {record: c, expr: b + a}"));
        // Reads the value of the tick before, so it must stay before the writer.
        Assert.Equal("0 | 1", Steps("{record: a, expr: b}, {record: b, expr: x}"));
        Assert.Equal("0 | 1", Steps("{record: a, expr: x}, {record: b, expr: '{job=\"x\"}'}"));
        Assert.Equal("0 | 1", Steps("{record: 'a:x', expr: x}, {record: b, expr: '{__name__=~\"a:.*\"}'}"));
        Assert.Equal("0 | 1,2", Steps("{alert: A, expr: x}, {alert: B, expr: 'ALERTS{alertname=\"A\"}'}, {alert: C, expr: 'ALERTS{alertname=\"Z\"}'}").Replace("0,2 | 1", "0 | 1,2"));
        Assert.Equal("0 | 1", Steps("{record: a, expr: x}, {record: a, expr: y}"));
        Assert.Equal("0 | 1", Steps("{record: a, expr: x}, {alert: B, expr: y, annotations: {t: '{{ query \"a\" }}'}}"));
        Assert.Equal("0,1", Steps("{alert: A, expr: x, for: 5m}, {alert: B, expr: 'y and on() (z unless w)'}"));
    }

    /// <summary>Side by side or one after the other: what is written is the same.</summary>
    [Fact]
    public async Task ConcurrentEvaluationGivesWhatSequentialGives()
    {
        string[] names = ["m", "n", "r0", "r1", "r2", "r3"];
        var rule = from output in Gen.Elements("r0", "r1", "r2", "r3")
                   from left in Gen.Elements(names)
                   from right in Gen.Elements(names)
                   from form in Gen.Choose(0, 4)
                   select form switch
                   {
                       0 => $"{{record: {output}, expr: '{left} + {right}'}}",
                       1 => $"{{record: {output}, expr: 'count({{__name__=~\"{left}|{right}\"}})'}}",
                       2 => $"{{record: {output}, expr: 'sum(last_over_time({left}[2m]))'}}",
                       3 => $"{{alert: {output}, expr: '{left} > 3', for: 1m}}",
                       _ => $"{{record: {output}, expr: 'count(ALERTS{{alertname=\"{left}\"}}) + 5'}}",
                   };
        var groups = Gen.ArrayOf(rule, 6);
        const int seed = 20260201;
        var random = new Random(seed);
        foreach (var rules in groups.Sample(60))
        {
            var yaml = $"groups: [{{name: g, rules: [{string.Join(", ", rules)}]}}]";
            var sequential = await RunAsync(yaml, null, random);
            using var gate = new SemaphoreSlim(4);
            var concurrent = await RunAsync(yaml, gate, random);
            Assert.True(sequential == concurrent, $"{yaml}\nsequential {sequential}\nconcurrent {concurrent}");
        }

        static async Task<string> RunAsync(string yaml, SemaphoreSlim? gate, Random random)
        {
            var lab = new RuleLab("load 1m\n  m 1 2 3 4 5\n  n 5 4 3 2 1");
            // Rules that run side by side come to their queries in any order.
            lab.BeforeQuery = async _ =>
            {
                int turns;
                lock (random)
                {
                    turns = random.Next(4);
                }

                for (var i = 0; i < turns; i++)
                {
                    await Task.Yield();
                }
            };
            var group = lab.Group(yaml, gate: gate);
            var written = new List<string>();
            await lab.RunAsync(group, 0, 4 * Minute, Minute, tick =>
                written.Add(string.Join(",", group.Rules.Select(r => r.LastEvaluation.LastError))));
            for (var minute = 0; minute <= 4; minute++)
            {
                written.Add(await lab.AskAsync("{__name__=~\"r.|ALERTS.*\"}", minute * Minute));
            }

            return string.Join("\n", written);
        }
    }

    [Fact]
    public void TicksAreAlignedAndTheSameForEveryOwner()
    {
        // Frozen: another value would move every group's ticks.
        Assert.Equal(1_599_999_982_804, new GroupSchedule("/etc/rules/a.yml", "node", 60_000).TickAtOrBefore(1_600_000_000_000));
        var schedule = new GroupSchedule("rules.yml", "g", 30_000);
        var tick = schedule.TickAtOrBefore(1_600_000_000_000);
        Assert.Equal(tick, new GroupSchedule("rules.yml", "g", 30_000).TickAtOrAfter(tick));
        Assert.NotEqual(tick % 30_000, new GroupSchedule("rules.yml", "h", 30_000).TickAtOrBefore(1_600_000_000_000) % 30_000);
        Check.QuickThrowOnFailure(Prop.ForAll(Gen.Choose(-2_000_000_000, 2_000_000_000).ToArbitrary(), Gen.Choose(1, 100_000_000).ToArbitrary(), (time, interval) =>
        {
            var any = new GroupSchedule("f", "g", interval);
            var at = any.TickAtOrBefore(time);
            var after = any.TickAtOrAfter(time);
            return at <= time && time - at < interval && any.TickAtOrBefore(at) == at && any.TickAtOrAfter(at) == at
                && any.TickAtOrBefore(at + interval) == at + interval && (after == at ? time == at : after == at + interval);
        }));
    }

    [Fact]
    public async Task SeriesOfARuleThatIsGoneEnd()
    {
        var lab = new RuleLab("load 1m\n  m 1 1 1 1");
        var old = lab.Group("groups: [{name: g, rules: [{record: r, expr: m}, {record: s, expr: m}]}]");
        await lab.RunAsync(old, 0, 0, Minute);
        var next = lab.Group("groups: [{name: g, rules: [{record: s, expr: m * 2}]}]");
        next.Continue(old.Capture());
        await lab.RunAsync(next, Minute, Minute, Minute);
        Assert.Equal("", await lab.AskAsync("r", Minute));
        Assert.Equal("s 2", await lab.AskAsync("s", Minute));
        Assert.Equal(Labels.Of(("__name__", "s")), next.Capture().Rules.Single().PreviousSeries.Single());
    }
}
