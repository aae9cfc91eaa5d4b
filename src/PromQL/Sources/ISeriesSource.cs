using Metrics.Model;

namespace Metrics.PromQL;

/// <summary>Where the engine reads series from: one shard's head and blocks, or a test's memory.</summary>
public interface ISeriesSource
{
    /// <summary>Finds the series that satisfy all matchers and have, or may have, samples in the range.</summary>
    /// <remarks>The result is a consistent view; the engine disposes it. Thread-safe.</remarks>
    /// <exception cref="OperationCanceledException">The query was cancelled.</exception>
    ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation);
}

/// <summary>What the engine asks of a source.</summary>
/// <param name="Matchers">Conditions, all of which must hold.</param>
/// <param name="Range">The samples wanted, both ends inclusive.</param>
/// <param name="Hints">What may save the source work; a source may ignore it all.</param>
public sealed record SeriesSelection(IReadOnlyList<Matcher> Matchers, TimeRange Range, SelectionHints Hints);

/// <summary>What the engine knows about how the samples will be used.</summary>
/// <param name="StepMs">The step of the query; 0 for an instant.</param>
/// <param name="RangeMs">The window of the range function; 0 for an instant selector.</param>
/// <param name="Function">The function around the selector, or null.</param>
/// <param name="Projection">The labels that the result depends on, or null for all.</param>
/// <param name="StatisticsOnly">True when of native histograms only count and sum matter.</param>
/// <param name="MaxResolutionMs">The coarsest downsampled data wanted, milliseconds a sample; 0 for raw samples, where there are any.</param>
/// <param name="LookbackMs">How far an instant selector looks back; 0 when not known.</param>
public sealed record SelectionHints(
    long StepMs = 0, long RangeMs = 0, string? Function = null, LabelProjection? Projection = null, bool StatisticsOnly = false, long MaxResolutionMs = 0, long LookbackMs = 0);

/// <summary>The labels that a result depends on: only those named, or all but those named.</summary>
public sealed record LabelProjection(IReadOnlyList<string> Names, bool Without);
