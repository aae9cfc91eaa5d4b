using Metrics.Model;

namespace Metrics.Rules.Alerting;

/// <summary>Where an alert stands.</summary>
public enum AlertState
{
    /// <summary>The rule has not been evaluated yet; of rules only.</summary>
    Unknown,

    /// <summary>Its condition does not hold (any more).</summary>
    Inactive,

    /// <summary>Its condition holds, and not yet for long enough.</summary>
    Pending,

    /// <summary>It is on.</summary>
    Firing,
}

/// <summary>One alert of a rule: one set of labels. Immutable; times are Unix milliseconds of evaluation ticks.</summary>
public sealed record Alert
{
    /// <summary>What identifies it.</summary>
    public required Labels Labels { get; init; }

    /// <summary>What describes it, ascending by name.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Annotations { get; init; }

    /// <summary>Where it stands.</summary>
    public AlertState State { get; init; } = AlertState.Pending;

    /// <summary>The value of the expression when it last held.</summary>
    public double Value { get; init; }

    /// <summary>The value as Prometheus's API writes it, e.g. <c>1.5e+01</c>.</summary>
    public string ValueText => Templates.GoFloatText.Format(Value, 'e', -1);

    /// <summary>Since when its condition holds.</summary>
    public long ActiveAtMs { get; init; }

    /// <summary>When it began to fire.</summary>
    public long? FiredAtMs { get; init; }

    /// <summary>When it ended; null while it is pending or firing.</summary>
    public long? ResolvedAtMs { get; init; }

    /// <summary>When it was last handed to the notifier.</summary>
    public long? LastSentAtMs { get; init; }

    /// <summary>Until when the last notification holds.</summary>
    public long ValidUntilMs { get; init; }

    /// <summary>Since when it fires only because of <c>keep_firing_for</c>.</summary>
    public long? KeepFiringSinceMs { get; init; }

    /// <summary>True when Alertmanagers should hear of it at this tick.</summary>
    internal bool NeedsSending(long tickMs, long resendDelayMs)
    {
        if (State == AlertState.Pending)
        {
            return false;
        }

        return LastSentAtMs is not { } sent || ResolvedAtMs > sent || sent + resendDelayMs < tickMs;
    }
}
