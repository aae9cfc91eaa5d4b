using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Functions;

/// <summary><c>rate</c>, <c>increase</c> and <c>delta</c>: first and last sample, what resets took away, extrapolated to the window.</summary>
/// <remarks>Rules of extrapolation: prometheus/prometheus promql/functions.go. Resets are found once per series, so that a step costs only those in its window.</remarks>
internal struct RateKernel(bool isCounter, bool isRate) : IWindowKernel
{
    private PositionList resets;
    private PositionList overlaps;

    /// <inheritdoc/>
    public void Begin(in SplitSamples samples, in RangeContext context)
    {
        if (!isCounter)
        {
            return;
        }

        var values = samples.Floats;
        for (var i = 1; i < values.Length; i++)
        {
            if (values[i] < values[i - 1] || StartTimestamps.IsResetAt(samples.FloatStarts, samples.FloatTimes, i))
            {
                resets.Add(i);
            }

            if (StartTimestamps.OverlapsAt(samples.FloatStarts, samples.FloatTimes, i))
            {
                overlaps.Add(i);
            }
        }
    }

    /// <inheritdoc/>
    public void End()
    {
        resets.Return();
        overlaps.Return();
    }

    /// <inheritdoc/>
    public void Step(scoped in Window window, in RangeContext context, Remarks remarks, StepRow into)
    {
        if (window.FloatCount > 0 && window.HistogramCount > 0)
        {
            remarks.Mixed();
        }
        else if (window.Mode != RangeMode.None)
        {
            Extended(window, remarks, into);
        }
        else if (window.HistogramCount > 0)
        {
            StepHistograms(window, remarks, into);
        }
        else
        {
            StepFloats(window, remarks, into);
        }
    }

    private readonly void Extended(in Window window, Remarks remarks, StepRow into)
    {
        if (window.HistogramCount == 0)
        {
            if (ExtendedRate.TryFloat(window, isCounter, out var value))
            {
                into.Set(window.Step, isRate ? value / (window.RangeMs / 1000.0) : value);
            }
        }
        else if (ExtendedHistogramRate.Of(window, isCounter, remarks) is { } result)
        {
            if (isRate)
            {
                result.Divide(window.RangeMs / 1000.0);
            }

            result.CounterResetHint = CounterResetHint.Gauge;
            into.Set(window.Step, result.Compact(0));
        }
    }

    private void StepFloats(in Window window, Remarks remarks, StepRow into)
    {
        var values = window.Samples.Floats;
        var first = values[window.FloatFrom];
        var result = values[window.FloatTo - 1] - first;
        foreach (var reset in resets.In(window.FloatFrom + 1, window.FloatTo))
        {
            result += values[reset - 1];
        }

        if (!overlaps.In(window.FloatFrom + 1, window.FloatTo).IsEmpty)
        {
            remarks.StartOverlap();
        }

        var times = window.FloatTimes;
        var extent = new Extrapolation(window, times, isCounter ? window.FloatStarts : default);
        if (extent.StartsInside)
        {
            result += first;
        }
        else if (times.Length == 1)
        {
            return;
        }

        var zero = isCounter && result > 0 && first >= 0 ? extent.SampledSeconds * (first / result) : double.PositiveInfinity;
        into.Set(window.Step, result * Factor(extent, zero, window));
    }

    private readonly void StepHistograms(in Window window, Remarks remarks, StepRow into)
    {
        var histograms = window.Histograms;
        var times = window.HistogramTimes;
        FloatHistogram? result = null;
        if (histograms.Length > 1)
        {
            result = HistogramIncrease.Of(histograms, times, window.HistogramStarts, isCounter, remarks);
            if (result is null)
            {
                return;
            }
        }

        var extent = new Extrapolation(window, times, isCounter ? window.HistogramStarts : default);
        if (extent.StartsInside)
        {
            if (result is null)
            {
                result = histograms[0].Copy();
            }
            else if (!HistogramSteps.TryAdd(result, histograms[0], remarks))
            {
                return;
            }
        }

        if (result is null)
        {
            return;
        }

        var zero = isCounter && result.Count > 0 && histograms[0].Count >= 0
            ? extent.SampledSeconds * (histograms[0].Count / result.Count)
            : double.PositiveInfinity;
        into.Set(window.Step, result.Multiply(Factor(extent, zero, window)));
    }

    private readonly double Factor(in Extrapolation extent, double secondsToZero, in Window window)
    {
        var factor = extent.Factor(secondsToZero);
        return isRate ? factor / (window.RangeMs / 1000.0) : factor;
    }
}
