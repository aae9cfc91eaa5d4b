using System.Buffers;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Functions;

/// <summary><c>resets</c> and <c>changes</c>: how often neighbours differ so, floats and histograms together.</summary>
/// <remarks>The events of series of one kind are found once; then a step costs two look-ups in a running count.</remarks>
internal struct EventKernel(bool countsResets) : IWindowKernel
{
    private int[]? running;
    private bool ofHistograms;

    /// <inheritdoc/>
    public void Begin(in SplitSamples samples, in RangeContext context)
    {
        if (samples.Floats.Length > 0 && samples.Histograms.Length > 0)
        {
            return;
        }

        ofHistograms = samples.Histograms.Length > 0;
        var count = Math.Max(samples.Floats.Length, samples.Histograms.Length);
        running = ArrayPool<int>.Shared.Rent(Math.Max(1, count));
        running[0] = 0;
        for (var i = 1; i < count; i++)
        {
            var happened = ofHistograms ? Happened(samples, false, i - 1, false, i) : Happened(samples, true, i - 1, true, i);
            running[i] = running[i - 1] + (happened ? 1 : 0);
        }
    }

    /// <inheritdoc/>
    public readonly void End()
    {
        if (running is not null)
        {
            ArrayPool<int>.Shared.Return(running);
        }
    }

    /// <inheritdoc/>
    public readonly void Step(scoped in Window window, in RangeContext context, Remarks remarks, StepRow into)
    {
        var floatFrom = window.FloatFrom;
        var histogramFrom = window.HistogramFrom;
        if (window.Mode == RangeMode.Anchored && !TryAnchor(window, ref floatFrom, ref histogramFrom))
        {
            return;
        }

        if (running is not null)
        {
            var (from, to) = ofHistograms ? (histogramFrom, window.HistogramTo) : (floatFrom, window.FloatTo);
            into.Set(window.Step, running[to - 1] - running[from]);
            return;
        }

        into.Set(window.Step, CountMixed(window, floatFrom, histogramFrom));
    }

    // The last sample at or before the start is the anchor; others before the start do not count.
    private static bool TryAnchor(in Window window, ref int floatFrom, ref int histogramFrom)
    {
        floatFrom = After(window.Samples.FloatTimes, floatFrom, window.FloatTo, window.StartMs);
        histogramFrom = After(window.Samples.HistogramTimes, histogramFrom, window.HistogramTo, window.StartMs);
        if (floatFrom == window.FloatTo && histogramFrom == window.HistogramTo)
        {
            return false;
        }

        var hasFloat = floatFrom > window.FloatFrom;
        var hasHistogram = histogramFrom > window.HistogramFrom;
        if (hasFloat && (!hasHistogram || window.Samples.FloatTimes[floatFrom - 1] >= window.Samples.HistogramTimes[histogramFrom - 1]))
        {
            floatFrom--;
        }
        else if (hasHistogram)
        {
            histogramFrom--;
        }

        return true;
    }

    private static int After(ReadOnlySpan<long> times, int from, int to, long startMs)
    {
        while (from < to && times[from] <= startMs)
        {
            from++;
        }

        return from;
    }

    private readonly int CountMixed(in Window window, int floatAt, int histogramAt)
    {
        var samples = window.Samples;
        var count = 0;
        var before = -1;
        var beforeIsFloat = false;
        while (floatAt < window.FloatTo || histogramAt < window.HistogramTo)
        {
            var isFloat = histogramAt == window.HistogramTo
                || (floatAt < window.FloatTo && samples.FloatTimes[floatAt] < samples.HistogramTimes[histogramAt]);
            var now = isFloat ? floatAt++ : histogramAt++;
            if (before >= 0 && Happened(samples, beforeIsFloat, before, isFloat, now))
            {
                count++;
            }

            (before, beforeIsFloat) = (now, isFloat);
        }

        return count;
    }

    private readonly bool Happened(in SplitSamples samples, bool beforeIsFloat, int before, bool isFloat, int now)
    {
        if (beforeIsFloat != isFloat)
        {
            return true;
        }

        if (isFloat)
        {
            var (old, value) = (samples.Floats[before], samples.Floats[now]);
            return countsResets
                ? value < old || IsRestart(samples.FloatStarts, samples.FloatTimes, before, now)
                : value != old && !(double.IsNaN(value) && double.IsNaN(old));
        }

        return countsResets
            ? IsRestart(samples.HistogramStarts, samples.HistogramTimes, before, now) || samples.Histograms[now].DetectReset(samples.Histograms[before])
            : !samples.Histograms[now].HasSameDataAs(samples.Histograms[before]);
    }

    private static bool IsRestart(ReadOnlySpan<long> starts, ReadOnlySpan<long> times, int before, int now) =>
        !starts.IsEmpty && StartTimestamps.IsReset(starts[before], times[before], starts[now], times[now]);
}
