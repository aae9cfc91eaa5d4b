using Metrics.PromQL;
using Metrics.Rules.Groups;
using Metrics.Rules.Tests.Fakes;
using Xunit;

namespace Metrics.Rules.Tests;

public sealed class RuleBackfillTests
{
    private const long Hour = 3_600_000;

    [Fact]
    public async Task ABackfillWritesWhatTheRulesWouldHaveWritten()
    {
        const string yaml = "groups: [{name: g, interval: 1m, labels: {l: x}, rules: [{record: r, expr: 'sum(m) by (a)', labels: {k: v}}, {alert: A, expr: m}, {record: s, expr: 'm > 100'}]}]";
        const string load = "load 1m\n  m{a=\"1\",b=\"1\"} 1+1x400\n  m{a=\"1\",b=\"2\"} 2+1x400\n  m{a=\"2\",b=\"1\"} 3+1x400";
        var live = new RuleLab(load);
        var group = live.Group(yaml);
        var first = group.Schedule.TickAtOrAfter(Hour);
        await live.RunAsync(group, first, 5 * Hour, 60_000);

        var later = new RuleLab(load);
        later.Storage.AdvanceTo(6 * Hour);
        var samples = await RuleBackfill.RunAsync(
            [new PlacedGroup("file.yml", RuleLab.File(yaml).Groups[0])], new BackfillRange(Hour, 5 * Hour, 15_000), new RangeQuery(later.Storage), later.Storage, null, CancellationToken.None);
        var compared = 0;
        for (var tick = first; tick <= 5 * Hour; tick += 60_000)
        {
            // Only what stands at this very instant: a backfill, like promtool's, writes no stale markers.
            var want = await live.AskAsync("{__name__=~\"r|s\"} and timestamp({__name__=~\"r|s\"}) == " + (tick / 1000.0), tick);
            Assert.Equal(want, await later.AskAsync("{__name__=~\"r|s\"} and timestamp({__name__=~\"r|s\"}) == " + (tick / 1000.0), tick));
            compared += want.Split(';').Length;
        }

        Assert.Equal(samples, compared);
        Assert.True(samples > 600, $"{samples} samples");
        Assert.Equal("", await later.AskAsync("ALERTS", 4 * Hour));
    }

    [Fact]
    public async Task ASampleThatIsNotTakenFailsTheBackfill()
    {
        var lab = new RuleLab("load 1m\n  m 1+1x100");
        lab.Storage.AdvanceTo(2 * Hour);
        await lab.Storage.AppendAsync([new RuleWrite(Model.Labels.Of(("__name__", "r")), 2 * Hour, 1)], CancellationToken.None);
        var failure = await Assert.ThrowsAsync<IOException>(() => RuleBackfill.RunAsync(
            [new PlacedGroup("f", RuleLab.File("groups: [{name: g, rules: [{record: r, expr: m}]}]").Groups[0])],
            new BackfillRange(0, Hour, 60_000), new RangeQuery(lab.Storage), lab.Storage, null, CancellationToken.None));
        Assert.Contains("out of order sample", failure.Message, StringComparison.Ordinal);
    }

    private sealed class RangeQuery(ISeriesSource source) : IRuleRangeQuery
    {
        public ValueTask<QueryResult> RangeAsync(string query, TimeGrid grid, CancellationToken cancellation) =>
            new QueryEngine(RuleLab.Engine).ExecuteAsync(new QueryRequest(query, grid, IsRange: true), [new LocalLeaf(source, RuleLab.Engine)], cancellation);
    }
}
