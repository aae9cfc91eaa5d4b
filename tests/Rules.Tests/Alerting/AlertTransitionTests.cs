using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.Rules.Alerting;
using Xunit;

namespace Metrics.Rules.Tests.Alerting;

public sealed class AlertTransitionTests
{
    private const long Minute = 60_000;

    [Theory]
    // for, keep_firing_for, then one letter per minute: x = condition holds, - = it does not; and the states: p, f, i(nactive), . = unknown
    [InlineData(0, 0, "x", "f")]
    [InlineData(0, 0, "-", ".")]
    [InlineData(0, 0, "xx-", "ffi")]
    [InlineData(2, 0, "xxxx", "ppff")]
    [InlineData(2, 0, "xx-x", "pp.p")]
    [InlineData(2, 0, "xxx-x", "ppfip")]
    [InlineData(2, 0, "xxx-xxx", "ppfippf")]
    [InlineData(0, 2, "x---", "fffi")]
    [InlineData(0, 2, "x-x---", "fffffi")]
    [InlineData(1, 3, "xx----", "pffffi")]
    [InlineData(1, 3, "x----", "p....")]
    [InlineData(0, 0, "x----------------x", "fiiiiiiiiiiiiiiiif")]
    [InlineData(0, 0, "x-----------------", "fiiiiiiiiiiiiiiii.")]
    public void StatesFollowTheCondition(int forMinutes, int keepMinutes, string condition, string want) =>
        Assert.Equal(want, States(condition, forMinutes * Minute, keepMinutes * Minute));

    [Fact]
    public void AnAlertThatComesBackIsANewOne()
    {
        var fired = Step(null, true, 0, 0, 0)!;
        var resolved = Step(fired, false, Minute, 0, 0)!;
        var back = Step(resolved with { LastSentAtMs = Minute }, true, 2 * Minute, 0, 0)!;
        Assert.Equal((2 * Minute, (long?)(2 * Minute), null, null), (back.ActiveAtMs, back.FiredAtMs, back.ResolvedAtMs, back.LastSentAtMs));
    }

    [Fact]
    public void AFiringAlertPendsAgainWhenItsForGrows()
    {
        var fired = Step(null, true, 0, 0, 0)! with { LastSentAtMs = 0 };
        var pending = Step(fired, true, Minute, 5 * Minute, 0)!;
        Assert.Equal((AlertState.Pending, null, null), (pending.State, pending.FiredAtMs, pending.LastSentAtMs));
        Assert.False(pending.NeedsSending(Minute, Minute));
    }

    [Fact]
    public void NotificationsAreDueAtEachChangeAndThenAfterTheDelay()
    {
        var fired = Step(null, true, 0, 0, 0)!;
        Assert.True(fired.NeedsSending(0, Minute));
        fired = fired with { LastSentAtMs = 0 };
        Assert.False(fired.NeedsSending(Minute / 2, Minute));
        Assert.False(fired.NeedsSending(Minute, Minute));
        Assert.True(fired.NeedsSending(Minute + 1, Minute));
        var resolved = Step(fired, false, Minute / 2, 0, 0)!;
        Assert.True(resolved.NeedsSending(Minute / 2, Minute));
        Assert.False((resolved with { LastSentAtMs = Minute / 2 }).NeedsSending(Minute, Minute));
    }

    /// <summary>Against a definition that looks at the whole history at once.</summary>
    [Fact]
    public void StatesAgreeWithTheSpecificationOnRandomHistories()
    {
        var histories = from length in Gen.Choose(1, 40)
                        from condition in Gen.ArrayOf(Gen.Frequency((3, Gen.Constant('x')), (1, Gen.Constant('-'))), length)
                        from forMinutes in Gen.Choose(0, 5)
                        select (Condition: new string(condition), ForMs: forMinutes * Minute);
        Check.QuickThrowOnFailure(Prop.ForAll(histories.ToArbitrary(), h => States(h.Condition, h.ForMs, 0) == Specified(h.Condition, h.ForMs)));
    }

    private static string Specified(string condition, long forMs)
    {
        var states = new char[condition.Length];
        for (var t = 0; t < states.Length; t++)
        {
            // The run of ticks that ends here, and the last one before that was long enough to fire.
            var start = condition.LastIndexOf('-', t) + 1;
            if (start <= t)
            {
                states[t] = (t - start) * Minute >= forMs ? 'f' : 'p';
                continue;
            }

            var end = condition.LastIndexOf('x', t);
            var from = end < 0 ? -1 : condition.LastIndexOf('-', end) + 1;
            var fired = end >= 0 && (end - from) * Minute >= forMs;
            states[t] = fired && (t - end - 1) * Minute <= AlertTransition.ResolvedRetentionMs ? 'i' : '.';
        }

        return new string(states);
    }

    private static string States(string condition, long forMs, long keepMs)
    {
        Alert? alert = null;
        var states = new char[condition.Length];
        for (var t = 0; t < states.Length; t++)
        {
            alert = Step(alert, condition[t] == 'x', t * Minute, forMs, keepMs);
            states[t] = alert?.State switch { AlertState.Pending => 'p', AlertState.Firing => 'f', AlertState.Inactive => 'i', _ => '.' };
        }

        return new string(states);
    }

    private static Alert? Step(Alert? known, bool holds, long tickMs, long forMs, long keepMs) => holds
        ? AlertTransition.Held(known, new Alert { Labels = Labels.Of(("alertname", "A")), Annotations = [], ActiveAtMs = tickMs }, tickMs, forMs)
        : known is null ? null : AlertTransition.Missed(known, tickMs, forMs, keepMs);
}
