using System.Buffers;

namespace Metrics.PromQL.Functions;

/// <summary><c>quantile_over_time</c>, and <c>mad_over_time</c>: the median distance from the median. O(window log window).</summary>
internal struct QuantileKernel(bool isDeviation) : IWindowKernel
{
    private double[]? scratch;

    /// <inheritdoc/>
    public void Begin(in SplitSamples samples, in RangeContext context) => scratch = ArrayPool<double>.Shared.Rent(Math.Max(1, samples.Floats.Length));

    /// <inheritdoc/>
    public readonly void End() => ArrayPool<double>.Shared.Return(scratch!);

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

        var values = scratch.AsSpan(0, window.FloatCount);
        window.Floats.CopyTo(values);
        into.Set(window.Step, isDeviation ? Deviation(values) : Quantile(values, context.Parameters[0][window.Step], remarks));
    }

    private static double Quantile(Span<double> values, double quantile, Remarks remarks)
    {
        if (!(quantile is >= 0 and <= 1))
        {
            remarks.BadQuantile(quantile);
        }

        return Of(values, quantile);
    }

    private static double Deviation(Span<double> values)
    {
        foreach (var value in values)
        {
            if (double.IsNaN(value))
            {
                return double.NaN;
            }
        }

        var median = Of(values, 0.5);
        foreach (ref var value in values)
        {
            value = Math.Abs(value - median);
        }

        return Of(values, 0.5);
    }

    // Sorts the values, NaN lowest, and weighs the two neighbours of the rank.
    private static double Of(Span<double> values, double quantile)
    {
        if (double.IsNaN(quantile))
        {
            return double.NaN;
        }

        if (quantile is < 0 or > 1)
        {
            return quantile < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        }

        values.Sort();
        var rank = quantile * (values.Length - 1);
        var lower = (int)Math.Floor(rank);
        var upper = Math.Min(values.Length - 1, lower + 1);
        var weight = rank - lower;
        return (values[lower] * (1 - weight)) + (values[upper] * weight);
    }
}
