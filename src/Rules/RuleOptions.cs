using Metrics.Model;

namespace Metrics.Rules;

/// <summary>How a tenant's rules are evaluated. Defaults are Prometheus's.</summary>
public sealed record RuleOptions
{
    /// <summary>The interval of groups that name none, milliseconds (<c>evaluation_interval</c>).</summary>
    public long DefaultIntervalMs { get; init; } = 60_000;

    /// <summary>The query offset of groups that name none, milliseconds (<c>rule_query_offset</c>).</summary>
    public long DefaultQueryOffsetMs { get; init; }

    /// <summary>The least time between two notifications of one alert, milliseconds (<c>rules.alert.resend-delay</c>).</summary>
    public long ResendDelayMs { get; init; } = 60_000;

    /// <summary>The longest outage after which the state of pending alerts is restored, milliseconds (<c>rules.alert.for-outage-tolerance</c>).</summary>
    public long OutageToleranceMs { get; init; } = 3_600_000;

    /// <summary>The least time that an alert stays pending after a restore, milliseconds; alerts with a shorter <c>for</c> are not restored (<c>rules.alert.for-grace-period</c>).</summary>
    public long ForGracePeriodMs { get; init; } = 600_000;

    /// <summary>How many rules are evaluated side by side beyond one per group (<c>rules.max-concurrent-evals</c>).</summary>
    public int MaxConcurrentEvaluations { get; init; } = 4;

    /// <summary>Labels that templates see as <c>$externalLabels</c>, and that alerts get when they lack them.</summary>
    public Labels ExternalLabels { get; init; } = Labels.Empty;

    /// <summary>The URL under which users reach the server, without a slash at the end.</summary>
    public string ExternalUrl { get; init; } = "";
}

/// <summary>What a tenant's rules work with.</summary>
/// <param name="Query">Reads.</param>
/// <param name="Appender">Writes.</param>
/// <param name="Notifier">Tells Alertmanagers.</param>
/// <param name="Time">The clock.</param>
/// <param name="Options">How.</param>
/// <param name="Observer">Hears of what happens.</param>
public sealed record RuleServices(
    IRuleQuery Query, IRuleAppender Appender, Notifying.INotifier Notifier, TimeProvider Time, RuleOptions Options, IRuleObserver? Observer = null);

/// <summary>Hears what a host may log or count. Called from evaluating threads; must be quick and must not throw.</summary>
public interface IRuleObserver
{
    /// <summary>A group was evaluated at a tick, Unix milliseconds.</summary>
    void OnEvaluated(string group, long tickMs)
    {
    }

    /// <summary>A rule failed, or some of its samples could not be stored.</summary>
    void OnRuleFailed(string group, string rule, string error)
    {
    }

    /// <summary>A template of an alert failed; the alert carries the error as text.</summary>
    void OnTemplateFailed(string group, string rule, string error)
    {
    }

    /// <summary>A query of a rule or template was answered with warnings; the evaluation went on.</summary>
    void OnWarned(string group, string query, IReadOnlyList<string> warnings)
    {
    }

    /// <summary>Something around the rules failed: restoring or saving state, or stale markers of rules that are gone.</summary>
    void OnUpkeepFailed(string group, string what, Exception error)
    {
    }
}
