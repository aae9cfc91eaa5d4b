using Metrics.Model;

namespace Metrics.Gateway.Federation;

/// <summary>The last sample of a series, as it is federated.</summary>
/// <param name="Name">The metric's name.</param>
/// <param name="Labels">The other labels, external ones and <c>instance</c> among them.</param>
/// <param name="TimeMs">Unix milliseconds.</param>
/// <param name="Value">The value of a float.</param>
/// <param name="Histogram">The histogram; null for a float.</param>
internal sealed record FederatedSample(string Name, IReadOnlyList<KeyValuePair<string, string>> Labels, long TimeMs, double Value, FloatHistogram? Histogram)
{
    /// <summary>The type of its metric, as the protobuf format numbers them: untyped, histogram or gauge histogram.</summary>
    public int Type => Histogram is null ? 3 : Histogram.CounterResetHint == CounterResetHint.Gauge ? 5 : 4;

    /// <summary>The classic buckets of a histogram with custom ones: upper bounds and cumulative counts, the last bound being infinite.</summary>
    public static IEnumerable<(double UpperBound, double Count)> ClassicBuckets(FloatHistogram histogram)
    {
        var counts = new double[histogram.CustomValues.Length + 1];
        var (at, next) = (0, 0);
        foreach (var span in histogram.PositiveSpans)
        {
            at += span.Offset;
            for (var i = 0; i < span.Length; i++, at++, next++)
            {
                counts[at] = histogram.PositiveBuckets[next];
            }
        }

        var below = 0.0;
        for (var i = 0; i < histogram.CustomValues.Length; i++)
        {
            below += counts[i];
            yield return (histogram.CustomValues[i], below);
        }

        yield return (double.PositiveInfinity, histogram.Count);
    }
}
