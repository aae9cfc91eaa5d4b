using Metrics.Model;

namespace Metrics.PromQL.Tests.Reference;

/// <summary>One series of test data.</summary>
internal sealed record NaiveSeries(Labels Labels, List<NaiveSample> Samples);

/// <summary>One sample: a float, or a histogram when that is not null.</summary>
internal readonly record struct NaiveSample(long TimeMs, double Value, FloatHistogram? Histogram = null)
{
    public bool IsStale => StaleMarker.Is(Histogram?.Sum ?? Value);
}
