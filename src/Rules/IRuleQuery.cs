using Metrics.Model;

namespace Metrics.Rules;

/// <summary>What rules read through: one tenant's series, by the same path as its users' queries.</summary>
/// <remarks>
/// Called from several rules at once; implementations are thread-safe. An answer that lacks a shard must fail, never be partial, unless the group asks for that: a missing shard
/// would silence alerts.
/// </remarks>
public interface IRuleQuery
{
    /// <summary>What the rules of a group read through: the tenants it names, whole or partial as it says. Here, as by default, groups make no difference.</summary>
    IRuleQuery Of(Files.RuleGroupSpec group) => this;

    /// <summary>Evaluates an instant query. A scalar becomes one sample without labels.</summary>
    /// <param name="query">PromQL that has been parsed before.</param>
    /// <param name="timeMs">The instant, Unix milliseconds.</param>
    /// <param name="cancellation">Cancelled when the group stops.</param>
    /// <exception cref="PromQL.QueryException">It failed, met a bound, or some series could not be read.</exception>
    /// <exception cref="RuleQueryException">The result is neither vector nor scalar.</exception>
    ValueTask<RuleVector> EvaluateAsync(string query, long timeMs, CancellationToken cancellation);

    /// <summary>The last stored sample of each series that satisfies all matchers, stale markers included, for restoring the state of alerts.</summary>
    /// <param name="matchers">Conditions, all of which must hold.</param>
    /// <param name="range">Where to look, both ends inclusive.</param>
    /// <param name="cancellation">Cancelled when the group stops.</param>
    ValueTask<IReadOnlyList<LastSample>> LastSamplesAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation);
}

/// <summary>The result of an instant query.</summary>
/// <param name="Samples">One per series, in the order of the answer.</param>
public sealed record RuleVector(IReadOnlyList<RuleSample> Samples)
{
    /// <summary>Warnings as the query API words them.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Infos as the query API words them.</summary>
    public IReadOnlyList<string> Infos { get; init; } = [];
}

/// <summary>One element of a vector: a float or, when <paramref name="Histogram"/> is not null, a native histogram (and the float is 0).</summary>
public readonly record struct RuleSample(Labels Labels, double Value, FloatHistogram? Histogram = null);

/// <summary>The last sample of a stored series.</summary>
public readonly record struct LastSample(Labels Labels, long TimeMs, double Value);

/// <summary>A rule's query that gave what a rule cannot use, or a rule whose result breaks a rule of its own.</summary>
public sealed class RuleQueryException(string message, Exception? cause = null) : Exception(message, cause);
