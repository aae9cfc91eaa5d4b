using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary><c>irate</c> and <c>idelta</c>: from the last two samples.</summary>
internal struct InstantKernel(bool isRate) : IWindowKernel
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
        if (window.FloatCount + window.HistogramCount < 2)
        {
            return;
        }

        var floatTimes = window.FloatTimes;
        var histogramTimes = window.HistogramTimes;
        if (window.FloatCount > 1 && (window.HistogramCount == 0 || histogramTimes[^1] < floatTimes[^2]))
        {
            into.Set(window.Step, OfFloats(window));
        }
        else if (window.HistogramCount > 1 && (window.FloatCount == 0 || floatTimes[^1] < histogramTimes[^2]))
        {
            if (OfHistograms(window, remarks) is { } result)
            {
                into.Set(window.Step, result);
            }
        }
        else
        {
            remarks.Mixed();
        }
    }

    private readonly double OfFloats(in Window window)
    {
        var values = window.Floats;
        var times = window.FloatTimes;
        var restarted = isRate && (values[^1] < values[^2] || StartTimestamps.IsResetAt(window.FloatStarts, times, times.Length - 1));
        var change = restarted ? values[^1] : values[^1] - values[^2];
        return isRate ? change / ((times[^1] - times[^2]) / 1000.0) : change;
    }

    private readonly FloatHistogram? OfHistograms(in Window window, Remarks remarks)
    {
        var points = window.Histograms;
        var times = window.HistogramTimes;
        var (before, now) = (points[^2], points[^1]);
        if (isRate && (now.CounterResetHint == CounterResetHint.Gauge || before.CounterResetHint == CounterResetHint.Gauge))
        {
            remarks.NotCounter();
        }

        if (!isRate && (now.CounterResetHint != CounterResetHint.Gauge || before.CounterResetHint != CounterResetHint.Gauge))
        {
            remarks.NotGauge();
        }

        var result = now.Copy();
        var restarted = isRate && (StartTimestamps.IsResetAt(window.HistogramStarts, times, times.Length - 1) || now.DetectReset(before));
        if (!restarted && !HistogramSteps.TrySubtract(result, before, remarks))
        {
            return null;
        }

        result.CounterResetHint = CounterResetHint.Gauge;
        result.Compact(0);
        return isRate ? result.Divide((times[^1] - times[^2]) / 1000.0) : result;
    }
}
