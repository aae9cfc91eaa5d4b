using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>Sums and means of the histograms in a window.</summary>
internal static class HistogramTotals
{
    /// <summary>A new histogram; null, with a remark, when exponential and custom buckets are mixed.</summary>
    public static FloatHistogram? Of(ReadOnlySpan<FloatHistogram> points, bool isAverage, Remarks remarks)
    {
        foreach (var point in points)
        {
            if (!point.IsCompatibleWith(points[0]))
            {
                remarks.MixedSchemas();
                return null;
            }
        }

        Report(points, remarks);
        var found = HistogramReconciliation.None;
        FloatHistogram? compensation = null;
        var sum = points[0].Copy();
        for (var i = 1; i < points.Length; i++)
        {
            sum.TryAddCompensated(points[i], ref compensation, out var now);
            found |= now;
        }

        var result = isAverage && points.Length > 1 && sum.HasOverflow() ? Mean(points) : Finish(sum, compensation, isAverage ? points.Length : 1);
        if (found.HasFlag(HistogramReconciliation.CustomBounds))
        {
            remarks.ReconciledIn("aggregation");
        }

        return result;
    }

    private static FloatHistogram Finish(FloatHistogram sum, FloatHistogram? compensation, int count)
    {
        if (count > 1)
        {
            sum.Divide(count);
            compensation?.Divide(count);
        }

        return compensation is null ? sum : sum.Add(compensation);
    }

    // Where the sum is too large for a double the mean need not be: from the first overflow on it is moved along instead.
    private static FloatHistogram Mean(ReadOnlySpan<FloatHistogram> points)
    {
        var mean = points[0].Copy();
        FloatHistogram? compensation = null;
        for (var i = 1; i < points.Length; i++)
        {
            var count = i + 1.0;
            var share = (count - 1) / count;
            compensation?.Multiply(share);
            mean.Multiply(share).TryAddCompensated(points[i].Copy().Divide(count), ref compensation, out _);
        }

        return compensation is null ? mean : mean.Add(compensation);
    }

    private static void Report(ReadOnlySpan<FloatHistogram> points, Remarks remarks)
    {
        bool reset = false, notReset = false;
        foreach (var point in points)
        {
            reset |= point.CounterResetHint == CounterResetHint.Reset;
            notReset |= point.CounterResetHint == CounterResetHint.NotReset;
        }

        if (reset && notReset)
        {
            remarks.ResetCollision();
        }
    }
}
