using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>The samples that a range function looks at in one step; positions count from the start of the series.</summary>
internal readonly ref struct Window
{
    /// <summary>All samples of the series.</summary>
    public required SplitSamples Samples { get; init; }

    /// <summary>The first float.</summary>
    public required int FloatFrom { get; init; }

    /// <summary>Behind the last float.</summary>
    public required int FloatTo { get; init; }

    /// <summary>The first histogram.</summary>
    public required int HistogramFrom { get; init; }

    /// <summary>Behind the last histogram.</summary>
    public required int HistogramTo { get; init; }

    /// <summary>The step.</summary>
    public required int Step { get; init; }

    /// <summary>The window starts behind this time.</summary>
    public required long StartMs { get; init; }

    /// <summary>The window ends at this time.</summary>
    public required long EndMs { get; init; }

    /// <summary>The instant of the step itself, before offset and <c>@</c>.</summary>
    public required long StepMs { get; init; }

    /// <summary>The length.</summary>
    public required long RangeMs { get; init; }

    /// <summary>Anchored or smoothed windows hold samples beyond start, or end, too.</summary>
    public required Parsing.RangeMode Mode { get; init; }

    public int FloatCount => FloatTo - FloatFrom;

    public int HistogramCount => HistogramTo - HistogramFrom;

    public ReadOnlySpan<double> Floats => Samples.Floats[FloatFrom..FloatTo];

    public ReadOnlySpan<long> FloatTimes => Samples.FloatTimes[FloatFrom..FloatTo];

    public ReadOnlySpan<long> FloatStarts => Samples.FloatStarts.IsEmpty ? default : Samples.FloatStarts[FloatFrom..FloatTo];

    public ReadOnlySpan<FloatHistogram> Histograms => Samples.Histograms[HistogramFrom..HistogramTo];

    public ReadOnlySpan<long> HistogramTimes => Samples.HistogramTimes[HistogramFrom..HistogramTo];

    public ReadOnlySpan<long> HistogramStarts => Samples.HistogramStarts.IsEmpty ? default : Samples.HistogramStarts[HistogramFrom..HistogramTo];
}
