namespace Metrics.PromQL.Functions;

/// <summary>What the ends of a window tell.</summary>
internal enum Edge
{
    /// <summary>The first sample, float or histogram.</summary>
    First,

    /// <summary>The last sample.</summary>
    Last,

    /// <summary>The time of the first sample.</summary>
    TimeOfFirst,

    /// <summary>The time of the last sample.</summary>
    TimeOfLast,

    /// <summary>How many samples there are.</summary>
    Count,

    /// <summary>1.</summary>
    Present,
}

/// <summary><c>first_over_time</c>, <c>last_over_time</c>, <c>ts_of_*_over_time</c> of these, <c>count_over_time</c>, <c>present_over_time</c>.</summary>
internal struct EdgeKernel(Edge edge) : IWindowKernel
{
    /// <inheritdoc/>
    public readonly void Begin(in SplitSamples samples, in RangeContext context)
    {
    }

    /// <inheritdoc/>
    public readonly void End()
    {
    }

    /// <inheritdoc/>
    public readonly void Step(scoped in Window window, in RangeContext context, Remarks remarks, StepRow into)
    {
        var first = edge is Edge.First or Edge.TimeOfFirst;
        switch (edge)
        {
            case Edge.Count: into.Set(window.Step, window.FloatCount + window.HistogramCount); break;
            case Edge.Present: into.Set(window.Step, 1); break;
            default: SetEnd(window, first, into); break;
        }
    }

    private readonly void SetEnd(in Window window, bool first, StepRow into)
    {
        var floatTime = window.FloatCount == 0 ? 0 : first ? window.FloatTimes[0] : window.FloatTimes[^1];
        var histogramTime = window.HistogramCount == 0 ? 0 : first ? window.HistogramTimes[0] : window.HistogramTimes[^1];
        var isFloat = window.HistogramCount == 0 || (window.FloatCount > 0 && (first ? floatTime < histogramTime : floatTime > histogramTime));
        if (edge is Edge.TimeOfFirst or Edge.TimeOfLast)
        {
            into.Set(window.Step, (isFloat ? floatTime : histogramTime) / 1000.0);
        }
        else if (isFloat)
        {
            into.Set(window.Step, first ? window.Floats[0] : window.Floats[^1]);
        }
        else
        {
            into.Set(window.Step, first ? window.Histograms[0] : window.Histograms[^1]);
        }
    }
}
