using Metrics.Model;

namespace Metrics.Rules;

/// <summary>What rules write through: one tenant's shards.</summary>
public interface IRuleAppender
{
    /// <summary>Appends the results of one rule at one tick; completes when they are durable and the next query sees them.</summary>
    /// <remarks>
    /// Thread-safe. Appending the same sample again is no error. A sample that can't be stored (out of order, too old, another value at the same instant) is
    /// left out and counted in the answer, as <c>promtool</c> and Prometheus do for rules; the others are stored.
    /// </remarks>
    /// <exception cref="IOException">Nothing could be stored now; the rule's evaluation counts as failed and the next tick tries again.</exception>
    ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation);
}

/// <summary>A sample to store.</summary>
/// <param name="Labels">The series.</param>
/// <param name="TimeMs">Unix milliseconds.</param>
/// <param name="Value">The value; <see cref="StaleMarker.Value"/> says that the series has ended.</param>
/// <param name="Histogram">The native histogram, or null for a float.</param>
public readonly record struct RuleWrite(Labels Labels, long TimeMs, double Value, FloatHistogram? Histogram = null)
{
    /// <summary>True when the sample says that the series has ended.</summary>
    public bool IsStale => Histogram is null && StaleMarker.Is(Value);
}

/// <summary>What became of an append.</summary>
/// <param name="Rejected">The indexes of the samples that were left out, ascending; empty also when it is not known which they were.</param>
/// <param name="Reason">Why the first result was left out; null when all results are stored (stale markers need not be).</param>
public sealed record RuleAppendResult(IReadOnlyList<int> Rejected, string? Reason)
{
    /// <summary>Everything is stored.</summary>
    public static readonly RuleAppendResult Done = new([], null);
}
