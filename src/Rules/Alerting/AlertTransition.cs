namespace Metrics.Rules.Alerting;

/// <summary>The state machine of one alert: what a tick makes of it.</summary>
/// <remarks>
/// <code>
///            condition holds             held for `for`
///   (none) ────────────────► pending ───────────────────► firing
///                              │                            │ condition gone for `keep_firing_for`
///                              │ condition gone             ▼
///                              └───────────► (none) ◄─── inactive ── 15 minutes later ──► (none)
/// </code>
/// prometheus/prometheus rules/alerting.go; the rules of the alert generator specification hold.
/// </remarks>
internal static class AlertTransition
{
    /// <summary>How long a resolved alert is remembered and sent again, in case an Alertmanager missed it.</summary>
    public const long ResolvedRetentionMs = 15 * 60 * 1000;

    /// <summary>The alert after a tick at which its condition holds; <paramref name="seen"/> is what the expression gave at this tick.</summary>
    public static Alert Held(Alert? known, Alert seen, long tickMs, long forMs)
    {
        // An alert that comes back is a new one.
        var alert = known is null || known.State == AlertState.Inactive
            ? seen
            : known with { Value = seen.Value, Annotations = seen.Annotations, KeepFiringSinceMs = null };
        return Aged(alert, tickMs, forMs);
    }

    /// <summary>The alert after a tick at which its condition does not hold; null when it is to be forgotten.</summary>
    public static Alert? Missed(Alert known, long tickMs, long forMs, long keepFiringForMs)
    {
        switch (known.State)
        {
            case AlertState.Pending:
                return null;
            case AlertState.Inactive:
                return tickMs - known.ResolvedAtMs > ResolvedRetentionMs ? null : known;
        }

        if (keepFiringForMs > 0)
        {
            known = known with { KeepFiringSinceMs = known.KeepFiringSinceMs ?? tickMs };
            if (tickMs - known.KeepFiringSinceMs < keepFiringForMs)
            {
                return Aged(known, tickMs, forMs);
            }
        }

        return known with { State = AlertState.Inactive, ResolvedAtMs = tickMs };
    }

    private static Alert Aged(Alert alert, long tickMs, long forMs)
    {
        var isOldEnough = tickMs - alert.ActiveAtMs >= forMs;
        return (alert.State, isOldEnough) switch
        {
            (AlertState.Pending, true) => alert with { State = AlertState.Firing, FiredAtMs = tickMs },
            // The rule's `for` has grown since it fired.
            (AlertState.Firing, false) => alert with { State = AlertState.Pending, FiredAtMs = null, LastSentAtMs = null, KeepFiringSinceMs = null },
            _ => alert,
        };
    }
}
