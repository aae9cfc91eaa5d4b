using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Functions;

/// <summary>What a range function does with the samples of one series; a struct, so that the loop over steps is compiled for it.</summary>
internal interface IWindowKernel
{
    /// <summary>Called once with the samples of the series, before the first step. The kernel may rent scratch.</summary>
    void Begin(in SplitSamples samples, in RangeContext context);

    /// <summary>Sets the result of a step, or leaves it unset. Windows hold at least one sample, and neither end ever moves back.</summary>
    void Step(scoped in Window window, in RangeContext context, Remarks remarks, StepRow into);

    /// <summary>Gives scratch back.</summary>
    void End();
}

/// <summary>A range function that slides windows over a series with a cursor for each end.</summary>
internal sealed class WindowFunction<TKernel>(TKernel prototype, bool keepsName = false) : RangeFunction
    where TKernel : struct, IWindowKernel
{
    /// <inheritdoc/>
    public override bool KeepsMetricName => keepsName;

    /// <inheritdoc/>
    public override void Evaluate(SampleBuffer samples, in RangeWindows windows, in RangeContext context, StepRow into)
    {
        var kernel = prototype;
        var split = new SplitSamples(samples, context.Options.UseStartTimestamps);
        kernel.Begin(split, context);
        try
        {
            // A window that stands still gives the same at every step, unless a parameter may change.
            var fixedWindow = windows.AtMs is not null && context.Parameters.Count == 0 && into.Steps > 1;
            Slide(ref kernel, split, windows, context, into, fixedWindow ? 1 : into.Steps);
            if (fixedWindow)
            {
                Broadcast(into);
            }
        }
        finally
        {
            kernel.End();
            split.Dispose();
        }
    }

    private static void Slide(ref TKernel kernel, in SplitSamples split, in RangeWindows windows, in RangeContext context, StepRow into, int steps)
    {
        var remarks = new Remarks(context);
        var before = windows.Mode == RangeMode.None ? 0 : context.Options.LookbackMs;
        var after = windows.Mode == RangeMode.Smoothed ? context.Options.LookbackMs : 0;
        int floatFrom = 0, floatTo = 0, histogramFrom = 0, histogramTo = 0;
        for (var step = 0; step < steps; step++)
        {
            var end = windows.EndOf(step);
            var start = end - windows.RangeMs;
            Move(split.FloatTimes, start - before, end + after, ref floatFrom, ref floatTo);
            Move(split.HistogramTimes, start - before, end + after, ref histogramFrom, ref histogramTo);
            if (floatFrom == floatTo && histogramFrom == histogramTo)
            {
                continue;
            }

            var window = new Window
            {
                Samples = split,
                FloatFrom = floatFrom,
                FloatTo = floatTo,
                HistogramFrom = histogramFrom,
                HistogramTo = histogramTo,
                Step = step,
                StartMs = start,
                EndMs = end,
                StepMs = windows.Grid.At(step),
                RangeMs = windows.RangeMs,
                Mode = windows.Mode,
            };
            kernel.Step(window, context, remarks, into);
        }
    }

    private static void Move(ReadOnlySpan<long> times, long startMs, long endMs, ref int from, ref int to)
    {
        while (to < times.Length && times[to] <= endMs)
        {
            to++;
        }

        while (from < to && times[from] <= startMs)
        {
            from++;
        }
    }

    private static void Broadcast(StepRow into)
    {
        if (!into.Has(0))
        {
            return;
        }

        var histogram = into.Histogram(0);
        var value = into.Values[0];
        for (var step = 1; step < into.Steps; step++)
        {
            if (histogram is null)
            {
                into.Set(step, value);
            }
            else
            {
                into.Set(step, histogram);
            }
        }
    }
}
