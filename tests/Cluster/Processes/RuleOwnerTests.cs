using System.Globalization;
using System.Text.Json;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Rules on real silo processes whose owners die, come and go: no tick is evaluated twice, none is lost but the one that a killed owner had claimed, and alerts neither begin anew nor are sent twice.</summary>
[Trait("Category", "Processes")]
public sealed class RuleOwnerTests(ITestOutputHelper log)
{
    /// <summary>Short, so that the test is; RULE_INTERVAL_SECONDS=60 with RULE_PROBE_TIMEOUT=2s is what an operator would see.</summary>
    private static readonly TimeSpan failoverInterval = TimeSpan.FromSeconds(int.Parse(Environment.GetEnvironmentVariable("RULE_INTERVAL_SECONDS") ?? "8", CultureInfo.InvariantCulture));

    private static readonly TimeSpan patience = TimeSpan.FromSeconds(60) + (4 * failoverInterval);
    private static readonly string probeTimeout = Environment.GetEnvironmentVariable("RULE_PROBE_TIMEOUT") ?? "1s";

    [Fact]
    public async Task AnAlertOutlivesItsOwnerWhilePendingAndWhileFiring()
    {
        var interval = failoverInterval;
        await using var lab = await RuleLab.StartAsync(3, groups: 6, interval, alertFor: 5 * interval, "--cluster-probe-timeout", probeTimeout);
        try
        {
            var first = await lab.EvaluatedAfterAsync("alerts", 0, patience);
            var second = await lab.EvaluatedAfterAsync("alerts", first.TickMs, patience);
            var pending = await UntilAlertAsync(lab, "pending");

            var dead = second.Silo;
            await KillAsync(lab, dead, second.TickMs);
            await UntilAlertAsync(lab, "firing");
            await lab.Silos.StartAgainAsync(dead);
            await lab.Silos.WaitForStatusAsync("three silos", static s => s.GetProperty("silos").GetArrayLength() == 3, TimeSpan.FromSeconds(30));
            await lab.EvaluatedAfterAsync("alerts", lab.LastOf("alerts").TickMs, patience);
            var last = lab.LastOf("alerts");
            await KillAsync(lab, last.Silo, last.TickMs);
            await lab.EvaluatedAfterAsync("alerts", lab.LastOf("alerts").TickMs, patience);

            var firing = await UntilAlertAsync(lab, "firing");
            Assert.Equal(pending.GetProperty("activeAt").GetString(), firing.GetProperty("activeAt").GetString());
            var starts = lab.Received.Select(static a => a.GetProperty("startsAt").GetDateTimeOffset()).Distinct().ToList();
            var late = Assert.Single(starts) - (firing.GetProperty("activeAt").GetDateTimeOffset() + (5 * interval));
            Assert.True(late >= TimeSpan.Zero && late <= interval, $"the alert fired {late} late");

            // The least time between two notifications is a minute; more than one within it are such as a new owner could not know of.
            var ends = lab.Received.Select(static a => a.GetProperty("endsAt").GetDateTimeOffset()).Order().ToList();
            Assert.True(ends.Zip(ends.Skip(1)).Count(static p => p.Second - p.First < TimeSpan.FromMinutes(1)) <= 1, string.Join(", ", ends));
            EachTickOnce(lab, missingAtMost: 2);
        }
        catch
        {
            log.WriteLine(lab.Silos.Outputs());
            throw;
        }
    }

    [Fact]
    public async Task ASiloThatComesAndGoesMovesItsShareAndNoTickIsLostOrDoubled()
    {
        var interval = TimeSpan.FromSeconds(5);
        await using var lab = await RuleLab.StartAsync(2, groups: 16, interval, alertFor: interval);
        try
        {
            var groups = Enumerable.Range(0, 16).Select(static g => $"g{g}").Append("alerts").ToList();
            await Task.WhenAll(groups.Select(g => lab.EvaluatedAfterAsync(g, 0, TimeSpan.FromSeconds(60))));
            await SettleAsync(lab, groups);
            var before = OwnersOf(lab, groups);
            Assert.Equal(2, before.Values.Distinct().Count());

            await lab.Silos.AddAsync(1);
            await SettleAsync(lab, groups);
            var with = OwnersOf(lab, groups);
            var added = lab.Silos.Silos[2];
            Assert.Contains(added, with.Values);
            Assert.All(groups, g => Assert.True(with[g] == before[g] || with[g] == added, $"{g} moved between silos that were there"));
            foreach (var silo in lab.Silos.Silos)
            {
                Assert.Equal(groups.Order(StringComparer.Ordinal), await lab.GroupsShownByAsync(silo));
            }

            Assert.Equal(0, await added.TerminateAsync());
            await SettleAsync(lab, groups);
            Assert.Equal(before, OwnersOf(lab, groups));
            EachTickOnce(lab, missingAtMost: 0);
        }
        catch
        {
            log.WriteLine(lab.Silos.Outputs());
            throw;
        }
    }

    /// <summary>Kills a silo in the middle between two ticks, and tells how long nobody evaluated its groups.</summary>
    private async Task KillAsync(RuleLab lab, SiloProcess silo, long lastTickMs)
    {
        var middle = DateTimeOffset.FromUnixTimeMilliseconds(lastTickMs) + (lab.Interval / 2) - DateTimeOffset.UtcNow;
        await Task.Delay(middle > TimeSpan.Zero ? middle : TimeSpan.Zero);
        silo.Kill();
        var killedAt = DateTimeOffset.UtcNow;
        var next = await lab.EvaluatedAfterAsync("alerts", lastTickMs, patience);
        Assert.NotSame(silo, next.Silo);
        log.WriteLine(FormattableString.Invariant(
            $"killed {(killedAt.ToUnixTimeMilliseconds() - lastTickMs) / 1000.0:F1} s after tick {lastTickMs}; {(next.TickMs - lastTickMs) / 1000.0:F0} s after that tick another silo evaluated, {(next.LoggedAt - killedAt).TotalSeconds:F1} s after the kill"));
    }

    private static async Task<JsonElement> UntilAlertAsync(RuleLab lab, string state)
    {
        var end = DateTime.UtcNow + (2 * patience);
        while (true)
        {
            if (await lab.AlertAsync() is { } alert && alert.GetProperty("state").GetString() == state)
            {
                return alert;
            }

            if (DateTime.UtcNow > end)
            {
                throw new TimeoutException($"no alert that is {state}");
            }

            await Task.Delay(200);
        }
    }

    /// <summary>Waits until three ticks have gone by in every group.</summary>
    private static Task SettleAsync(RuleLab lab, IEnumerable<string> groups)
    {
        var from = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        return Task.WhenAll(groups.Select(g => lab.EvaluatedAfterAsync(g, from + (2 * (long)lab.Interval.TotalMilliseconds), TimeSpan.FromSeconds(90))));
    }

    private static Dictionary<string, SiloProcess> OwnersOf(RuleLab lab, IEnumerable<string> groups) => groups.ToDictionary(static g => g, g => lab.LastOf(g).Silo);

    /// <summary>Every tick of every group was evaluated once; those that are missing are no more than owners were killed, and no two in a row.</summary>
    private void EachTickOnce(RuleLab lab, int missingAtMost)
    {
        var intervalMs = (long)lab.Interval.TotalMilliseconds;
        foreach (var group in lab.Evaluations())
        {
            var ticks = group.Select(static e => e.TickMs).Order().ToList();
            var gaps = ticks.Zip(ticks.Skip(1)).Select(p => (p.Second - p.First) / intervalMs).ToList();
            var story = string.Join(", ", ticks.Select(t => ((t - ticks[0]) / intervalMs).ToString(CultureInfo.InvariantCulture)));
            log.WriteLine($"{group.Key}: {story}");
            Assert.True(gaps.TrueForAll(static g => g is 1 or 2), $"{group.Key} was evaluated at ticks {story}");
            Assert.True(gaps.Count(static g => g == 2) <= missingAtMost, $"{group.Key} was evaluated at ticks {story}");
        }
    }
}
