namespace Metrics.PromQL.Functions;

/// <summary>Increases of <c>anchored</c> windows, from the last sample at or before the start, and of <c>smoothed</c> ones, between values interpolated at both ends.</summary>
internal static class ExtendedRate
{
    /// <summary>The positions of the samples that bound a window, as both floats and histograms are bounded; false when none lies inside.</summary>
    public static bool TryBounds(in Window window, ReadOnlySpan<long> times, out int first, out int last)
    {
        var smoothed = window.Mode == Parsing.RangeMode.Smoothed;
        last = times.Length - 1;
        first = 0;
        while (first < last && times[first] <= window.StartMs)
        {
            first++;
        }

        first = Math.Max(0, first - 1);
        if (smoothed)
        {
            while (last > 0 && times[last - 1] >= window.EndMs)
            {
                last--;
            }
        }

        return times[last] > window.StartMs && !(smoothed && times[first] > window.EndMs);
    }

    /// <summary>The increase, or plain difference for gauges.</summary>
    public static bool TryFloat(in Window window, bool isCounter, out double result)
    {
        var times = window.FloatTimes;
        var values = window.Floats;
        result = 0;
        if (!TryBounds(window, times, out var first, out var last))
        {
            return false;
        }

        var smoothed = window.Mode == Parsing.RangeMode.Smoothed;
        var left = smoothed && times[first] < window.StartMs ? Between(times, values, first, window.StartMs, isCounter) : values[first];
        var right = smoothed && last > 0 && times[last] > window.EndMs ? Between(times, values, last - 1, window.EndMs, isCounter) : values[last];
        result = right - left;
        if (isCounter)
        {
            // Samples at the bounds are what left and right were made from.
            var from = times[first] <= window.StartMs ? first + 1 : first;
            var to = times[last] >= window.EndMs ? last - 1 : last;
            result += ResetsWithin(left, right, from <= to ? values[from..(to + 1)] : default);
        }

        return true;
    }

    private static double ResetsWithin(double left, double right, ReadOnlySpan<double> inner)
    {
        var lost = 0.0;
        var previous = left;
        foreach (var value in inner)
        {
            if (value < previous)
            {
                lost += previous;
            }

            previous = value;
        }

        return right < previous ? lost + previous : lost;
    }

    // A counter that fell between two samples is taken to have started from zero at the first.
    private static double Between(ReadOnlySpan<long> times, ReadOnlySpan<double> values, int at, long timeMs, bool isCounter)
    {
        var from = isCounter && values[at + 1] < values[at] ? 0 : values[at];
        return from + ((values[at + 1] - from) * (timeMs - times[at]) / (times[at + 1] - times[at]));
    }
}
