using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>Increases of histograms in <c>anchored</c> and <c>smoothed</c> windows; see <see cref="ExtendedRate"/>.</summary>
internal static class ExtendedHistogramRate
{
    /// <summary>A new histogram, or null, with a remark where schemas are mixed.</summary>
    public static FloatHistogram? Of(in Window window, bool isCounter, Remarks remarks)
    {
        var times = window.HistogramTimes;
        var points = window.Histograms;
        if (!ExtendedRate.TryBounds(window, times, out var first, out var last) || !IsUniform(points[first..(last + 1)], isCounter, remarks))
        {
            return null;
        }

        var smoothed = window.Mode == Parsing.RangeMode.Smoothed;
        var left = smoothed && times[first] < window.StartMs
            ? Between(points, times, first, window.StartMs, isCounter, remarks) : points[first].Copy();
        var right = smoothed && last > 0 && times[last] > window.EndMs
            ? Between(points, times, last - 1, window.EndMs, isCounter, remarks) : points[last].Copy();
        if (left is null || right is null)
        {
            return null;
        }

        if (!isCounter && (left.CounterResetHint != CounterResetHint.Gauge || right.CounterResetHint != CounterResetHint.Gauge))
        {
            remarks.NotGauge();
        }

        var result = right.Copy();
        if (!HistogramSteps.TrySubtract(result, left, remarks))
        {
            return null;
        }

        var leftSpansReset = smoothed && times[first] < window.StartMs && points[first + 1].DetectReset(points[first]);
        return !isCounter || TryAddBack(result, points, first, last, left, right, leftSpansReset, remarks) ? result : null;
    }

    private static bool IsUniform(ReadOnlySpan<FloatHistogram> points, bool isCounter, Remarks remarks)
    {
        foreach (var point in points)
        {
            if (!point.IsCompatibleWith(points[0]))
            {
                remarks.MixedSchemas();
                return false;
            }

            if (isCounter && point.CounterResetHint == CounterResetHint.Gauge)
            {
                remarks.NotCounter();
            }
        }

        return true;
    }

    // The sample at last is represented by right, the one at first by left; and a reset that left was interpolated over is in left already.
    private static bool TryAddBack(
        FloatHistogram result, ReadOnlySpan<FloatHistogram> points, int first, int last, FloatHistogram left, FloatHistogram right, bool leftSpansReset, Remarks remarks)
    {
        var previous = leftSpansReset ? points[first + 1] : left;
        var from = first + (leftSpansReset ? 2 : 1);
        if (from > last)
        {
            return true;
        }

        FloatHistogram? lost = null;
        for (var i = from; i <= last; i++)
        {
            var now = i == last ? right : points[i];
            if (now.DetectReset(previous))
            {
                if (lost is null)
                {
                    lost = previous.Copy();
                }
                else if (!HistogramSteps.TryAdd(lost, previous, remarks))
                {
                    return false;
                }
            }

            previous = now;
        }

        return lost is null || HistogramSteps.TryAdd(result, lost, remarks);
    }

    private static FloatHistogram? Between(
        ReadOnlySpan<FloatHistogram> points, ReadOnlySpan<long> times, int at, long timeMs, bool isCounter, Remarks remarks)
    {
        var fraction = (double)(timeMs - times[at]) / (times[at + 1] - times[at]);
        if (fraction is 0 or 1)
        {
            return points[fraction == 0 ? at : at + 1].Copy();
        }

        var result = points[at + 1].Copy();
        if (isCounter && result.DetectReset(points[at]))
        {
            return result.Multiply(fraction);
        }

        return HistogramSteps.TrySubtract(result, points[at], remarks) && HistogramSteps.TryAdd(result.Multiply(fraction), points[at], remarks) ? result : null;
    }
}
