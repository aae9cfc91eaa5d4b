namespace Metrics.PromQL.Functions;

/// <summary>How far an increase between first and last sample stands for the whole window.</summary>
/// <remarks>
/// To a bound nearer than 1.1 average distances between samples it reaches all the way, else by half that distance. Where the series is known to start
/// inside the window it reaches back to that start and no further; and a counter reaches back to where it would have been zero at most.
/// </remarks>
internal readonly struct Extrapolation
{
    private readonly double toStart;
    private readonly double toEnd;

    public Extrapolation(scoped in Window window, ReadOnlySpan<long> times, ReadOnlySpan<long> starts)
    {
        var first = times[0];
        var last = times[^1];
        SampledSeconds = (last - first) / 1000.0;
        var average = times.Length > 1 ? SampledSeconds / (times.Length - 1) : 0;
        var threshold = average * 1.1;
        toStart = (first - window.StartMs) / 1000.0;
        toEnd = (window.EndMs - last) / 1000.0;
        if (!starts.IsEmpty && starts[0] != 0 && starts[0] > window.StartMs && starts[0] < first)
        {
            StartsInside = true;
            toStart = 0;
            SampledSeconds = (last - starts[0]) / 1000.0;
        }
        else if (toStart >= threshold)
        {
            toStart = average / 2;
        }

        if (toEnd >= threshold)
        {
            toEnd = average / 2;
        }
    }

    /// <summary>True when a start timestamp inside the window stands in for a first sample of zero.</summary>
    public bool StartsInside { get; }

    /// <summary>Seconds between the first and the last sample, or from the start timestamp.</summary>
    public double SampledSeconds { get; }

    /// <summary>The factor, given the seconds back to where the counter was zero (+Inf: no such limit).</summary>
    public double Factor(double secondsToZero)
    {
        var start = !StartsInside && secondsToZero < toStart ? secondsToZero : toStart;
        return SampledSeconds == 0 ? 1 : (SampledSeconds + start + toEnd) / SampledSeconds;
    }
}
