using Metrics.PromQL.Parsing;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Tests.Fakes;
using Metrics.Testing;
using Xunit;

namespace Metrics.Rules.Tests.Groups;

public sealed class TenantRulesTests
{
    private const long Minute = 60_000;
    private const long Start = 1_600_000_000_000 / Minute * Minute;

    private readonly FakeTime time = new(Start);
    private readonly KeptStates states = new();
    private readonly RuleLab lab;

    public TenantRulesTests() => lab = new RuleLab("load 1m\n  m 1+0x100", time: time, startMs: Start);

    [Fact]
    public async Task AGroupIsEvaluatedAtItsTicks()
    {
        await using var rules = new TenantRules(lab.Services, states);
        await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
        var group = rules.Groups.Single();
        var first = group.Schedule.TickAtOrBefore(Start) + Minute;
        for (var i = 0; i < 5; i++)
        {
            await TickAsync(first + (i * Minute));
            Assert.Equal(first + (i * Minute), group.LastTickMs);
            Assert.Equal(first + (i * Minute), states.LastTickOf("f;g"));
        }

        Assert.Equal((5, 0), (group.Counters.Iterations, group.Counters.Missed));
    }

    [Fact]
    public async Task TicksThatGoByDuringALongEvaluationAreMissed()
    {
        await using var rules = new TenantRules(lab.Services, states);
        await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
        var group = rules.Groups.Single();
        var first = group.Schedule.TickAtOrBefore(Start) + Minute;
        lab.BeforeQuery = _ =>
        {
            // The first evaluation takes three and a half minutes.
            lab.BeforeQuery = null;
            time.AdvanceTo(first + (3 * Minute) + (Minute / 2));
            return Task.CompletedTask;
        };
        await TickAsync(first, saves: 2);
        Assert.Equal((first + (3 * Minute), 4, 2), (group.LastTickMs!.Value, group.Counters.Iterations, group.Counters.Missed));
        Assert.Equal([first, first + (3 * Minute)], states.Saved("f;g"));
    }

    [Fact]
    public async Task TheNextOwnerGoesOnWithTheNextTick()
    {
        long first;
        await using (var rules = new TenantRules(lab.Services, states))
        {
            await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
            first = rules.Groups.Single().Schedule.TickAtOrBefore(Start) + Minute;
            await TickAsync(first);
            await TickAsync(first + Minute);
        }

        // Half an interval later elsewhere: this tick is done, the next one is due.
        time.AdvanceTo(first + Minute + (Minute / 2));
        await using (var rules = new TenantRules(lab.Services, states))
        {
            await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
            await TickAsync(first + (2 * Minute));
            Assert.Equal(0, rules.Groups.Single().Counters.Missed);
        }

        // Two ticks nobody was there for: the later is evaluated at once, the other is missed.
        time.AdvanceTo(first + (4 * Minute) + 1000);
        await using (var rules = new TenantRules(lab.Services, states))
        {
            await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
            await states.UntilAsync("f;g", 4);
            Assert.Equal(1, rules.Groups.Single().Counters.Missed);
        }

        Assert.Equal([first, first + Minute, first + (2 * Minute), first + (4 * Minute)], states.Saved("f;g"));
    }

    [Fact]
    public async Task AChangedGroupKeepsTheStateOfItsRulesAndAnUntouchedOneRunsOn()
    {
        await using var rules = new TenantRules(lab.Services, states);
        const string same = "{name: same, interval: 1m, rules: [{record: s, expr: m}]}";
        await rules.LoadAsync(Placed($"groups: [{same}, {{name: g, interval: 1m, rules: [{{alert: A, expr: m, for: 1h}}, {{record: r, expr: m}}]}}]"), CancellationToken.None);
        var before = rules.Groups;
        var tick = Start + (3 * Minute);
        await time.UntilTimersAsync(2);
        lab.Storage.AdvanceTo(tick);
        time.AdvanceTo(tick);
        await states.UntilAsync("f;g", 1);
        await states.UntilAsync("f;same", 1);
        var activeAt = Alert(rules).ActiveAtMs;
        await rules.LoadAsync(Placed($"groups: [{same}, {{name: g, interval: 1m, rules: [{{alert: A, expr: m, for: 2h}}]}}]"), CancellationToken.None);
        Assert.Same(before.Single(g => g.Name == "same"), rules.Groups.Single(g => g.Name == "same"));
        Assert.NotSame(before.Single(g => g.Name == "g"), rules.Groups.Single(g => g.Name == "g"));
        Assert.Equal(activeAt, Alert(rules).ActiveAtMs);
        // Moved to another file, the alert is still the same.
        await rules.LoadAsync([.. Placed($"groups: [{same}]"), .. Placed("groups: [{name: g, interval: 1m, rules: [{alert: A, expr: m, for: 2h}]}]", "other")], CancellationToken.None);
        Assert.Equal(["f;same", "other;g"], rules.Groups.Select(g => g.Key));
        Assert.Equal(activeAt, Alert(rules).ActiveAtMs);
    }

    [Fact]
    public async Task SeriesOfAGroupThatIsGoneEndAfterTwoIntervals()
    {
        await using var rules = new TenantRules(lab.Services, states);
        await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
        await TickAsync(rules.Groups.Single().Schedule.TickAtOrBefore(Start) + Minute);
        await rules.LoadAsync([], CancellationToken.None);
        var removedAt = time.NowMs;
        Assert.Empty(rules.Groups);
        Assert.NotEqual("", await lab.AskAsync("r", removedAt));
        await time.UntilTimersAsync(1);
        time.Advance(TimeSpan.FromMinutes(2));
        await states.UntilAsync("f;g", 0);
        Assert.Equal("", await lab.AskAsync("r", removedAt + 1));
    }

    [Fact]
    public async Task AnOwnerWhoseSaveIsRefusedStops()
    {
        await using var rules = new TenantRules(lab.Services, states);
        await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
        var group = rules.Groups.Single();
        var first = group.Schedule.TickAtOrBefore(Start) + Minute;
        await TickAsync(first);
        states.IsTakenOver = true;
        await time.UntilTimersAsync(1);
        time.AdvanceTo(first + Minute);
        await states.UntilRefusedAsync();
        time.AdvanceTo(first + (5 * Minute));
        Assert.Equal((first + Minute, 2), (group.LastTickMs!.Value, group.Counters.Iterations));
    }

    [Fact]
    public async Task ATickThatAnEarlierRunDiedInIsNotEvaluatedAgainAndOneThatItDidNotLiveToSeeIs()
    {
        var first = new GroupSchedule("f", "g", Minute).TickAtOrBefore(Start) + Minute;
        var died = new GroupState(first, [], []) { Owner = new RuleOwner("host:/data", "run 1"), ClaimedTickMs = first + Minute };
        foreach (var (startsAtMs, nextMs) in new[] { (first + Minute - 1000, first + Minute), (first + Minute, first + (2 * Minute)), (first + Minute + 30_000, first + (2 * Minute)), (first + (2 * Minute), first + (2 * Minute)) })
        {
            await SaveAsync(died);
            Assert.Equal([nextMs], await TicksAsync(states, new RuleOwner("host:/data", "run 2"), startsAtMs, 1));
        }
    }

    [Fact]
    public async Task AnOwnerWaitsForAnotherUntilItsTickIsOver()
    {
        var first = new GroupSchedule("f", "g", Minute).TickAtOrBefore(Start) + Minute;
        var other = new GroupState(first, [], []) { Owner = new RuleOwner("other:/data", "run 1"), ClaimedTickMs = first + Minute };
        await SaveAsync(other);
        time.AdvanceTo(first + 1000);
        await using var rules = new TenantRules(lab.Services, states, new RuleOwner("host:/data", "run 1"));
        await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);

        // It looks again and again; neither the tick that the other has claimed nor half an interval more makes it evaluate.
        await AdvanceAsync(first + Minute + (Minute / 2) - 1000);
        Assert.Null(rules.Groups.Single().LastTickMs);
        await AdvanceAsync(first + (2 * Minute));
        await states.UntilAsync("f;g", 2);
        Assert.Equal((first + (2 * Minute), 1), (rules.Groups.Single().LastTickMs, rules.Groups.Single().Counters.Missed));
    }

    [Fact]
    public async Task AGroupThatIsForAnotherOwnerIsLetGoAndTheOtherGoesOnWithoutAGap()
    {
        var placed = Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}, {alert: A, expr: m, for: 1h}]}]");
        await using var one = new TenantRules(lab.Services, states, new RuleOwner("one", "1"));
        await using var two = new TenantRules(lab.Services, states, new RuleOwner("two", "1"));
        await one.LoadAsync(placed, CancellationToken.None);
        var first = one.Groups.Single().Schedule.TickAtOrBefore(Start) + Minute;
        await TickAsync(first);
        var activeAt = Alert(one).ActiveAtMs;

        // The other hears of it first, and finds the claim of the one.
        await two.LoadAsync(placed, CancellationToken.None);
        Assert.Empty(two.Groups.Single().Rules.OfType<Rules.Alerting.AlertingRule>().Single().Alerts);
        await one.LoadAsync(placed, static _ => false, CancellationToken.None);
        Assert.Empty(one.Groups);
        await AdvanceAsync(first + Minute);
        await states.UntilAsync("f;g", 2);

        Assert.Equal([first, first + Minute], states.Saved("f;g"));
        Assert.Equal(activeAt, Alert(two).ActiveAtMs);
        Assert.NotEqual("", await lab.AskAsync("r", first + Minute));
        Assert.Equal(0, two.Groups.Single().Counters.Missed);
    }

    [Fact]
    public async Task AlertsBeginAnewWhenNobodyEvaluatedThemForLongerThanAnOutageMayLast()
    {
        const string yaml = "groups: [{name: g, interval: 1m, rules: [{alert: A, expr: m, for: 10m}]}]";
        long first;
        await using (var rules = new TenantRules(lab.Services, states))
        {
            await rules.LoadAsync(Placed(yaml), CancellationToken.None);
            first = rules.Groups.Single().Schedule.TickAtOrBefore(Start) + Minute;
            await TickAsync(first);
        }

        var late = first + (62 * Minute);
        lab.Storage.AdvanceTo(late);
        time.AdvanceTo(late);
        await using (var rules = new TenantRules(lab.Services, states))
        {
            await rules.LoadAsync(Placed(yaml), CancellationToken.None);
            await states.UntilAsync("f;g", 2);
            Assert.Equal(late, Alert(rules).ActiveAtMs);
        }
    }

    [Fact]
    public async Task TwoGroupsOfOneNameAreRefused()
    {
        await using var rules = new TenantRules(lab.Services);
        await Assert.ThrowsAsync<ArgumentException>(() => rules.LoadAsync([.. Placed("groups: [{name: g}]"), .. Placed("groups: [{name: g}]")], CancellationToken.None));
    }

    private static Rules.Alerting.Alert Alert(TenantRules rules) => rules.Groups.SelectMany(g => g.Rules).OfType<Rules.Alerting.AlertingRule>().Single().Alerts.Single();

    private static List<PlacedGroup> Placed(string yaml, string file = "f") =>
        [.. RuleFileReader.Read(yaml, ParseOptions.All).File!.Groups.Select(g => new PlacedGroup(file, g))];

    private ValueTask SaveAsync(GroupState state)
    {
        states.Clear();
        return states.SaveAsync("f;g", state, CancellationToken.None);
    }

    /// <summary>The ticks that an owner evaluates which begins at a time.</summary>
    private static async Task<List<long>> TicksAsync(KeptStates left, RuleOwner owner, long startsAtMs, int count)
    {
        var clock = new FakeTime(startsAtMs);
        var group = new RuleLab("load 1m\n  m 1+0x100", time: clock, startMs: Start);
        await using var rules = new TenantRules(group.Services, left, owner);
        await rules.LoadAsync(Placed("groups: [{name: g, interval: 1m, rules: [{record: r, expr: m}]}]"), CancellationToken.None);
        for (var at = startsAtMs; left.Saved("f;g").Count <= count; at += 500)
        {
            await clock.UntilTimersAsync(1);
            group.Storage.AdvanceTo(at);
            clock.AdvanceTo(at);
        }

        return left.Saved("f;g")[1..];
    }

    /// <summary>Lets time go by in small steps, in each of which whoever waits gets its turn.</summary>
    private async Task AdvanceAsync(long toMs)
    {
        while (time.NowMs < toMs)
        {
            await time.UntilTimersAsync(1);
            var at = Math.Min(time.NowMs + 500, toMs);
            lab.Storage.AdvanceTo(at);
            time.AdvanceTo(at);
        }
    }

    private async Task TickAsync(long tickMs, int saves = 1)
    {
        var before = states.Saved("f;g").Count;
        await time.UntilTimersAsync(1);
        lab.Storage.AdvanceTo(tickMs);
        time.AdvanceTo(tickMs);
        await states.UntilAsync("f;g", before + saves);
    }

    private sealed class KeptStates : IRuleStateStore
    {
        private readonly Dictionary<string, (byte[] Json, List<long> Ticks)> saved = [];

        private readonly TaskCompletionSource refused = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsTakenOver { get; set; }

        public Task UntilRefusedAsync() => refused.Task.WaitAsync(TimeSpan.FromSeconds(30));

        public long? LastTickOf(string key) => Saved(key)[^1];

        public List<long> Saved(string key)
        {
            lock (saved)
            {
                return saved.TryGetValue(key, out var state) ? [.. state.Ticks] : [];
            }
        }

        public async Task UntilAsync(string key, int count)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (count == 0 ? Saved(key).Count > 0 : Saved(key).Count < count)
            {
                await Task.Yield();
                patience.Token.ThrowIfCancellationRequested();
            }
        }

        public void Clear()
        {
            lock (saved)
            {
                saved.Clear();
            }
        }

        public ValueTask<GroupState?> LoadAsync(string groupKey, CancellationToken cancellation)
        {
            lock (saved)
            {
                return new(saved.TryGetValue(groupKey, out var state) ? Owned(GroupState.FromJson(state.Json)) : null);
            }
        }

        private GroupState Owned(GroupState state) => IsTakenOver ? state with { Owner = new RuleOwner("another", "1") } : state;

        public ValueTask SaveAsync(string groupKey, GroupState state, CancellationToken cancellation)
        {
            if (IsTakenOver)
            {
                refused.TrySetResult();
                throw new OperationCanceledException("another owner has it");
            }

            lock (saved)
            {
                var ticks = saved.TryGetValue(groupKey, out var known) ? known.Ticks : [];
                saved[groupKey] = (state.ToJson(), state.LastTickMs is { } tick && !ticks.Contains(tick) ? [.. ticks, tick] : ticks);
            }

            return default;
        }

        public ValueTask RemoveAsync(string groupKey, CancellationToken cancellation)
        {
            lock (saved)
            {
                saved.Remove(groupKey);
            }

            return default;
        }
    }
}
