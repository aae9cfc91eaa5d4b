using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary><c>sum_over_time</c> and <c>avg_over_time</c>.</summary>
internal struct SumKernel(bool isAverage) : IWindowKernel
{
    private WindowSums sums;

    /// <inheritdoc/>
    public void Begin(in SplitSamples samples, in RangeContext context) => sums.Begin(samples.Floats);

    /// <inheritdoc/>
    public void End() => sums.Return();

    /// <inheritdoc/>
    public readonly void Step(scoped in Window window, in RangeContext context, Remarks remarks, StepRow into)
    {
        if (window.FloatCount > 0 && window.HistogramCount > 0)
        {
            remarks.Mixed();
        }
        else if (window.FloatCount > 0)
        {
            into.Set(window.Step, OfFloats(window));
        }
        else if (HistogramTotals.Of(window.Histograms, isAverage, remarks) is { } result)
        {
            into.Set(window.Step, result);
        }
    }

    private readonly double OfFloats(in Window window)
    {
        sums.Of(window.Samples.Floats, window.FloatFrom, window.FloatTo, out var sum, out var compensation);
        if (!isAverage)
        {
            return double.IsInfinity(sum) ? sum : sum + compensation;
        }

        // An infinite sum may be one of finite values, whose mean is finite; and Inf - Inf is NaN only in the right order.
        return double.IsFinite(sum) ? (sum / window.FloatCount) + (compensation / window.FloatCount) : IncrementalMean(window.Floats);
    }

    private static double IncrementalMean(ReadOnlySpan<double> values)
    {
        double sum = values[0], mean = 0, compensation = 0;
        var incremental = false;
        for (var i = 1; i < values.Length; i++)
        {
            var count = i + 1.0;
            if (!incremental)
            {
                double newSum = sum, newCompensation = compensation;
                KahanSum.Add(values[i], ref newSum, ref newCompensation);
                if (!double.IsInfinity(newSum))
                {
                    (sum, compensation) = (newSum, newCompensation);
                    continue;
                }

                incremental = true;
                mean = sum / (count - 1);
                compensation /= count - 1;
            }

            var share = (count - 1) / count;
            mean *= share;
            compensation *= share;
            KahanSum.Add(values[i] / count, ref mean, ref compensation);
        }

        return incremental ? mean + compensation : (sum / values.Length) + (compensation / values.Length);
    }
}
