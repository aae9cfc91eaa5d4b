using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary><c>stdvar_over_time</c> and <c>stddev_over_time</c> of the floats in a window (population variance).</summary>
/// <remarks>Welford's method with compensated sums. O(window): an infinity or NaN that has left must leave no trace.</remarks>
internal struct VarianceKernel(bool isDeviation) : IWindowKernel
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
        if (window.FloatCount == 0)
        {
            return;
        }

        if (window.HistogramCount > 0)
        {
            remarks.HistogramsIgnored();
        }

        double count = 0, mean = 0, lostMean = 0, squares = 0, lostSquares = 0;
        foreach (var value in window.Floats)
        {
            count++;
            var distance = value - (mean + lostMean);
            KahanSum.Add(distance / count, ref mean, ref lostMean);
            KahanSum.Add(distance * (value - (mean + lostMean)), ref squares, ref lostSquares);
        }

        var variance = (squares + lostSquares) / count;
        into.Set(window.Step, isDeviation ? Math.Sqrt(variance) : variance);
    }
}
