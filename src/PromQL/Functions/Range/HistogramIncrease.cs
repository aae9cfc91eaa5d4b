using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>The increase of a histogram from the first to the last of at least two samples.</summary>
internal static class HistogramIncrease
{
    /// <summary>A new gauge histogram; null, with a remark, when exponential and custom buckets are mixed.</summary>
    public static FloatHistogram? Of(
        ReadOnlySpan<FloatHistogram> points, ReadOnlySpan<long> times, ReadOnlySpan<long> starts, bool isCounter, Remarks remarks)
    {
        var first = points[0];
        var last = points[^1];
        if (isCounter && IsReset(points[1], first, starts, times, 1))
        {
            // Nothing of the first sample remains, not even its layout.
            first = new FloatHistogram { Schema = points[1].Schema, CustomValues = points[1].CustomValues };
        }

        if (!TryCheck(points, first, isCounter, remarks, out var schema))
        {
            return null;
        }

        var result = last.CopyToSchema(schema);
        if (!HistogramSteps.TrySubtract(result, first, remarks))
        {
            return null;
        }

        if (isCounter && !TryAddBack(result, points, first, times, starts, remarks))
        {
            return null;
        }

        if (!isCounter && (points[0].CounterResetHint != CounterResetHint.Gauge || last.CounterResetHint != CounterResetHint.Gauge))
        {
            remarks.NotGauge();
        }

        result.CounterResetHint = CounterResetHint.Gauge;
        return result.Compact(0);
    }

    private static bool TryCheck(ReadOnlySpan<FloatHistogram> points, FloatHistogram first, bool isCounter, Remarks remarks, out int schema)
    {
        var last = points[^1];
        schema = Math.Min(last.Schema, first.Schema);
        if (last.UsesCustomBuckets != first.UsesCustomBuckets)
        {
            remarks.MixedSchemas();
            return false;
        }

        if (!isCounter)
        {
            return true;
        }

        var anyGauge = points[0].CounterResetHint == CounterResetHint.Gauge || last.CounterResetHint == CounterResetHint.Gauge;
        foreach (var point in points[1..^1])
        {
            anyGauge |= point.CounterResetHint == CounterResetHint.Gauge;
            schema = Math.Min(schema, point.Schema);
            if (point.UsesCustomBuckets != first.UsesCustomBuckets)
            {
                remarks.MixedSchemas();
                return false;
            }
        }

        if (anyGauge)
        {
            remarks.NotCounter();
        }

        return true;
    }

    private static bool TryAddBack(
        FloatHistogram result, ReadOnlySpan<FloatHistogram> points, FloatHistogram first, ReadOnlySpan<long> times, ReadOnlySpan<long> starts, Remarks remarks)
    {
        var previous = first;
        for (var i = 1; i < points.Length; i++)
        {
            if (StartTimestamps.OverlapsAt(starts, times, i))
            {
                remarks.StartOverlap();
            }

            if (IsReset(points[i], previous, starts, times, i) && !HistogramSteps.TryAdd(result, previous, remarks))
            {
                return false;
            }

            previous = points[i];
        }

        return true;
    }

    private static bool IsReset(FloatHistogram now, FloatHistogram before, ReadOnlySpan<long> starts, ReadOnlySpan<long> times, int i) =>
        StartTimestamps.IsResetAt(starts, times, i) || now.DetectReset(before);
}
