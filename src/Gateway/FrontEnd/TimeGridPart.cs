using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Steps of a range query that follow one another: the first, the last and the distance, Unix milliseconds; the last is really a step.</summary>
internal readonly record struct TimeGridPart(long StartMs, long EndMs, long StepMs)
{
    /// <summary>Parts have this many steps at least, where a query has them: finding a part's series costs as much as some hundred steps of them.</summary>
    private const int StepsMin = 240;

    /// <summary>The number of steps.</summary>
    public int Count => (int)((EndMs - StartMs) / StepMs) + 1;

    /// <summary>The same for the engine.</summary>
    public TimeGrid Grid => new(StartMs, EndMs, StepMs);

    /// <summary>All steps of a query.</summary>
    public static TimeGridPart Of(TimeGrid grid) => new(grid.StartMs, grid.At(grid.Count - 1), grid.StepMs);

    /// <summary>The distance of the borders at which queries of a step are split: the interval, or as many of it as hold enough steps; never ending when the interval is 0.</summary>
    public static long SplitWidthMs(long intervalMs, long stepMs)
    {
        if (intervalMs == 0)
        {
            return 0;
        }

        var times = ((Int128)stepMs * StepsMin / intervalMs) + 1;
        return times * intervalMs > long.MaxValue ? 0 : (long)times * intervalMs;
    }

    /// <summary>The parts between multiples of a width since the epoch, each with its number; one part for width 0.</summary>
    public List<(long Number, TimeGridPart Steps)> Split(long widthMs)
    {
        if (widthMs == 0)
        {
            return [(0, this)];
        }

        var parts = new List<(long, TimeGridPart)>();
        for (var from = StartMs; from <= EndMs;)
        {
            var number = Math.DivRem(from, widthMs, out var rest) - (rest < 0 ? 1 : 0);
            var border = ((Int128)number + 1) * widthMs;

            // The last step before the border.
            var last = border > EndMs ? EndMs : from + ((long)(border - 1 - from) / StepMs * StepMs);
            parts.Add((number, this with { StartMs = from, EndMs = last }));
            from = last + StepMs;
        }

        return parts;
    }
}
