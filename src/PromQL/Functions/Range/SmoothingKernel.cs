using System.Globalization;

namespace Metrics.PromQL.Functions;

/// <summary><c>double_exponential_smoothing</c>: a smoothed value with a smoothed trend (Holt's linear method).</summary>
internal struct SmoothingKernel : IWindowKernel
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
        var smoothing = Checked(context.Parameters[0][window.Step], "smoothing", "sf");
        var trend = Checked(context.Parameters[1][window.Step], "trend", "tf");
        if (window.FloatCount > 0 && window.HistogramCount > 0)
        {
            remarks.HistogramsIgnored();
        }

        if (window.FloatCount >= 2)
        {
            into.Set(window.Step, Smoothed(window.Floats, smoothing, trend));
        }
    }

    private static double Smoothed(ReadOnlySpan<double> values, double smoothing, double trend)
    {
        var before = 0.0;
        var level = values[0];
        var slope = values[1] - values[0];
        for (var i = 1; i < values.Length; i++)
        {
            if (i > 1)
            {
                slope = (trend * (level - before)) + ((1 - trend) * slope);
            }

            (before, level) = (level, (smoothing * values[i]) + ((1 - smoothing) * (level + slope)));
        }

        return level;
    }

    private static double Checked(double factor, string name, string symbol) =>
        factor is <= 0 or >= 1
            ? throw new QueryException(
                QueryErrorKind.Execution,
                string.Create(CultureInfo.InvariantCulture, $"invalid {name} factor. Expected: 0 < {symbol} < 1, got: {factor:F6}"))
            : factor;
}
