using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary><c>deriv</c> and <c>predict_linear</c>: least squares over the floats of a window.</summary>
/// <remarks>O(window): sums of squares about a moving origin cannot be slid without losing the digits that compensation saves.</remarks>
internal struct RegressionKernel(bool predicts) : IWindowKernel
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
        if (window.FloatCount > 0 && window.HistogramCount > 0)
        {
            remarks.HistogramsIgnored();
        }

        if (window.FloatCount < 2)
        {
            return;
        }

        // Times near the origin keep their squares small.
        var origin = predicts ? window.StepMs : window.FloatTimes[0];
        var (slope, intercept) = Fit(window.FloatTimes, window.Floats, origin);
        into.Set(window.Step, predicts ? (slope * context.Parameters[0][window.Step]) + intercept : slope);
    }

    private static (double Slope, double Intercept) Fit(ReadOnlySpan<long> times, ReadOnlySpan<double> values, long originMs)
    {
        double sumX = 0, lostX = 0, sumY = 0, lostY = 0, sumXY = 0, lostXY = 0, sumXX = 0, lostXX = 0;
        var constant = true;
        for (var i = 0; i < values.Length; i++)
        {
            constant &= i == 0 || values[i] == values[0];
            var x = (times[i] - originMs) / 1000.0;
            KahanSum.Add(x, ref sumX, ref lostX);
            KahanSum.Add(values[i], ref sumY, ref lostY);
            KahanSum.Add(x * values[i], ref sumXY, ref lostXY);
            KahanSum.Add(x * x, ref sumXX, ref lostXX);
        }

        if (constant)
        {
            return double.IsInfinity(values[0]) ? (double.NaN, double.NaN) : (0, values[0]);
        }

        double n = values.Length;
        sumX += lostX;
        sumY += lostY;
        var covariance = sumXY + lostXY - (sumX * sumY / n);
        var variance = sumXX + lostXX - (sumX * sumX / n);
        var slope = covariance / variance;
        return (slope, (sumY / n) - (slope * sumX / n));
    }
}
