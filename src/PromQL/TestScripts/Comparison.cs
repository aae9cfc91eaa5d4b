using Metrics.Model;

namespace Metrics.PromQL.TestScripts;

/// <summary>When two results count as the same; the reference's util/almost and promqltest.</summary>
internal static class Comparison
{
    private const double Epsilon = 1e-6;
    private const double SmallestNormal = 2.2250738585072014e-308;

    /// <summary>True when two floats are equal but for rounding.</summary>
    public static bool AreClose(double a, double b)
    {
        if (StaleMarker.Is(a) || StaleMarker.Is(b))
        {
            return StaleMarker.Is(a) && StaleMarker.Is(b);
        }

        if ((double.IsNaN(a) && double.IsNaN(b)) || a == b)
        {
            return true;
        }

        var sum = Math.Abs(a) + Math.Abs(b);
        var difference = Math.Abs(a - b);
        return a == 0 || b == 0 || sum < SmallestNormal
            ? difference < Epsilon * SmallestNormal
            : difference / Math.Min(sum, double.MaxValue) < Epsilon;
    }

    /// <summary>True when two histograms are equal but for rounding and empty buckets.</summary>
    public static bool AreClose(FloatHistogram want, FloatHistogram got, bool compareHint) =>
        want.Schema == got.Schema && (!compareHint || want.CounterResetHint == got.CounterResetHint)
        && AreClose(want.Count, got.Count) && AreClose(want.Sum, got.Sum) && AreClose(want.ZeroCount, got.ZeroCount)
        && want.ZeroThreshold == got.ZeroThreshold && want.CustomValues.AsSpan().SequenceEqual(got.CustomValues)
        && AreClose(BucketMap.Of(want.PositiveSpans, want.PositiveBuckets), BucketMap.Of(got.PositiveSpans, got.PositiveBuckets))
        && AreClose(BucketMap.Of(want.NegativeSpans, want.NegativeBuckets), BucketMap.Of(got.NegativeSpans, got.NegativeBuckets));

    /// <summary>True when a point is what an item says.</summary>
    public static bool AreClose(ScriptValue want, SampleBuffer points, int index)
    {
        var histogram = points.HasHistograms ? points.Histograms[index] : null;
        return want.Histogram is null
            ? histogram is null && AreClose(want.Value, points.Values[index])
            : histogram is not null && AreClose(want.Histogram, histogram, want.HintGiven);
    }

    /// <summary>A point as text for a message.</summary>
    public static string Show(double value, FloatHistogram? histogram)
    {
        if (histogram is null)
        {
            return StaleMarker.Is(value) ? "stale" : ShortestNumber.Of(value);
        }

        var text = $"{{{{schema:{histogram.Schema} count:{ShortestNumber.Of(histogram.Count)} sum:{ShortestNumber.Of(histogram.Sum)}"
            + $" z_bucket:{ShortestNumber.Of(histogram.ZeroCount)} z_bucket_w:{ShortestNumber.Of(histogram.ZeroThreshold)} hint:{histogram.CounterResetHint}";
        if (histogram.CustomValues.Length > 0)
        {
            text += $" custom_values:[{string.Join(' ', histogram.CustomValues)}]";
        }

        text += $" buckets:{Show(BucketMap.Of(histogram.PositiveSpans, histogram.PositiveBuckets))}";
        return text + $" n_buckets:{Show(BucketMap.Of(histogram.NegativeSpans, histogram.NegativeBuckets))}}}}}";
    }

    private static string Show(SortedDictionary<int, double> buckets) => $"[{string.Join(' ', buckets.Select(b => $"{b.Key}={ShortestNumber.Of(b.Value)}"))}]";

    private static bool AreClose(SortedDictionary<int, double> want, SortedDictionary<int, double> got)
    {
        if (want.Count != got.Count)
        {
            return false;
        }

        foreach (var (index, count) in want)
        {
            if (!got.TryGetValue(index, out var other) || !AreClose(count, other))
            {
                return false;
            }
        }

        return true;
    }
}
