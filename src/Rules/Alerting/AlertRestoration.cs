using Metrics.Model;
using Metrics.Rules.Groups;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Rules.Alerting;

/// <summary>Restores since when alerts are pending from the series that an earlier owner wrote, when its state itself is lost.</summary>
/// <remarks>prometheus/prometheus rules/group.go, RestoreForState.</remarks>
internal static class AlertRestoration
{
    /// <summary>Restores the alerts of a rule that became active at <paramref name="tickMs"/>, so that an outage neither resets their wait nor lets them fire unseen.</summary>
    public static async ValueTask RestoreAsync(AlertingRule rule, RuleGroup group, long tickMs, CancellationToken cancellation)
    {
        var options = group.Services.Options;
        if (rule.Spec.ForMs < options.ForGracePeriodMs || !rule.Alerts.Any(a => a.ActiveAtMs == tickMs))
        {
            // A shorter wait is over before the grace would be.
            return;
        }

        // Up to before this tick: what it wrote itself tells nothing of an earlier owner.
        var range = new TimeRange(tickMs - options.OutageToleranceMs, tickMs - group.QueryOffsetMs - 1);
        var found = await group.Services.Query.LastSamplesAsync(MatchersOf(rule), range, cancellation);
        var builder = new LabelsBuilder();
        var stored = new Dictionary<Labels, LastSample>(found.Count);
        foreach (var sample in found)
        {
            stored[builder.Reset(sample.Labels).Remove(Labels.MetricName).ToLabels()] = sample;
        }

        rule.Continue(rule.Alerts.Select(alert =>
            alert.ActiveAtMs == tickMs && stored.TryGetValue(alert.Labels, out var last) && !StaleMarker.Is(last.Value)
                ? alert with { ActiveAtMs = ActiveAt(last, rule.Spec.ForMs, options.ForGracePeriodMs, tickMs) }
                : alert));
    }

    private static long ActiveAt(LastSample last, long forMs, long graceMs, long tickMs)
    {
        var activeAtMs = (long)last.Value * 1000;
        var remainingMs = forMs - (last.TimeMs - activeAtMs);
        if (remainingMs <= 0)
        {
            // It was firing; the next tick lets it fire again if its condition still holds.
            return activeAtMs;
        }

        return remainingMs < graceMs
            ? tickMs + graceMs - forMs
            : activeAtMs + (tickMs - last.TimeMs);
    }

    private static List<Matcher> MatchersOf(AlertingRule rule)
    {
        var matchers = new List<Matcher>
        {
            new(MatchType.Equal, Labels.MetricName, AlertingRule.ForStateMetric),
            new(MatchType.Equal, "alertname", rule.Name),
        };
        foreach (var (name, value) in rule.Labels.AsEnumerable())
        {
            // A template's value differs from alert to alert.
            if (name != "alertname" && !value.Contains("{{"))
            {
                matchers.Add(new Matcher(MatchType.Equal, name, value));
            }
        }

        return matchers;
    }
}
