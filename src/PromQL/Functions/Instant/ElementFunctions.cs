using System.Collections.Frozen;
using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>Functions whose result at a step depends on one sample of one series and on scalars.</summary>
/// <remarks>Semantics of promql/functions.go. A function of floats has no result for a histogram, and the other way round.</remarks>
internal static class ElementFunctions
{
    private static readonly FrozenDictionary<string, Func<double, double>> plain = new Dictionary<string, Func<double, double>>(StringComparer.Ordinal)
    {
        ["abs"] = Math.Abs,
        ["ceil"] = Math.Ceiling,
        ["floor"] = Math.Floor,
        ["exp"] = Math.Exp,
        ["sqrt"] = Math.Sqrt,
        ["ln"] = Math.Log,
        ["log2"] = Math.Log2,
        ["log10"] = Math.Log10,
        ["sin"] = Math.Sin,
        ["cos"] = Math.Cos,
        ["tan"] = Math.Tan,
        ["asin"] = Math.Asin,
        ["acos"] = Math.Acos,
        ["atan"] = Math.Atan,
        ["sinh"] = Math.Sinh,
        ["cosh"] = Math.Cosh,
        ["tanh"] = Math.Tanh,
        ["asinh"] = Math.Asinh,
        ["acosh"] = Math.Acosh,
        ["atanh"] = Math.Atanh,
        ["rad"] = static v => v * Math.PI / 180,
        ["deg"] = static v => v * 180 / Math.PI,
        ["sgn"] = static v => v < 0 ? -1 : v > 0 ? 1 : v,
        ["day_of_month"] = DateFunctions.DayOfMonth,
        ["day_of_week"] = DateFunctions.DayOfWeek,
        ["day_of_year"] = DateFunctions.DayOfYear,
        ["days_in_month"] = DateFunctions.DaysInMonth,
        ["hour"] = DateFunctions.Hour,
        ["minute"] = DateFunctions.Minute,
        ["month"] = DateFunctions.Month,
        ["year"] = DateFunctions.Year,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, Func<FloatHistogram, double>> ofHistograms = new Dictionary<string, Func<FloatHistogram, double>>(StringComparer.Ordinal)
    {
        ["histogram_count"] = static h => h.Count,
        ["histogram_sum"] = static h => h.Sum,
        ["histogram_avg"] = static h => h.Sum / h.Count,
        ["histogram_stddev"] = static h => Math.Sqrt(HistogramDistribution.Variance(h)),
        ["histogram_stdvar"] = HistogramDistribution.Variance,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Replaces the values of a row by the function's, in place.</summary>
    /// <param name="name">A name for which <c>FunctionKinds.IsElementwise</c> holds, save the timestamps.</param>
    /// <param name="parameters">The scalar arguments, a column of one value per step each.</param>
    /// <param name="row">The values; those without a result are removed.</param>
    /// <returns>False when there is no such function.</returns>
    public static bool TryApply(string name, IReadOnlyList<double[]> parameters, StepRow row)
    {
        if (ofHistograms.TryGetValue(name, out var ofHistogram))
        {
            ApplyToHistograms(ofHistogram, row);
            return true;
        }

        RemoveHistograms(row);
        if (plain.TryGetValue(name, out var function))
        {
            var values = row.Values;
            for (var step = 0; step < values.Length; step++)
            {
                values[step] = function(values[step]);
            }

            return true;
        }

        switch (name)
        {
            case "round":
                Round(row.Values, parameters.Count > 0 ? parameters[0] : null);
                return true;
            case "clamp":
                Clamp(row, parameters[0], parameters[1]);
                return true;
            case "clamp_min":
                Clamp(row, parameters[0], null);
                return true;
            case "clamp_max":
                Clamp(row, null, parameters[0]);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Rounds to the nearest multiple, ties upwards; by the inverse, which loses less.</summary>
    private static void Round(Span<double> values, double[]? nearest)
    {
        for (var step = 0; step < values.Length; step++)
        {
            var inverse = 1 / (nearest?[step] ?? 1);
            values[step] = Math.Floor((values[step] * inverse) + 0.5) / inverse;
        }
    }

    /// <summary>Where the bounds are the wrong way round there is no result.</summary>
    private static void Clamp(StepRow row, double[]? low, double[]? high)
    {
        var values = row.Values;
        for (var step = 0; step < values.Length; step++)
        {
            var min = low?[step] ?? double.NegativeInfinity;
            var max = high?[step] ?? double.PositiveInfinity;
            if (max < min)
            {
                row.Clear(step);
            }
            else
            {
                values[step] = Extremes.Max(min, Extremes.Min(max, values[step]));
            }
        }
    }

    private static void RemoveHistograms(StepRow row)
    {
        for (var step = 0; step < row.Steps; step++)
        {
            if (row.Histogram(step) is not null)
            {
                row.Clear(step);
            }
        }
    }

    private static void ApplyToHistograms(Func<FloatHistogram, double> function, StepRow row)
    {
        for (var step = 0; step < row.Steps; step++)
        {
            if (row.Histogram(step) is { } histogram)
            {
                row.Set(step, function(histogram));
            }
            else
            {
                row.Clear(step);
            }
        }
    }
}
