using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Execution;

/// <summary>Histogram operations as the operators need them: operands are shared and never change, results are new.</summary>
internal static class HistogramArithmetic
{
    public static FloatHistogram Scale(FloatHistogram histogram, double factor, bool compact)
    {
        var scaled = histogram.Copy().Multiply(factor);
        return compact ? scaled.Compact(0) : scaled;
    }

    public static FloatHistogram Divide(FloatHistogram histogram, double divisor) => histogram.Copy().Divide(divisor).Compact(0);

    public static FloatHistogram Trim(FloatHistogram histogram, double bound, bool isUpper) => histogram.Copy().TrimBuckets(bound, isUpper);

    public static bool AreEqual(FloatHistogram a, FloatHistogram b) => a.HasSameDataAs(b);

    /// <summary>The sum or difference; null, with a remark, when the bucket layouts do not go together.</summary>
    public static FloatHistogram? AddOrSubtract(FloatHistogram a, FloatHistogram b, bool subtract, PositionRange position, EvaluationContext context)
    {
        var result = a.Copy();
        if (!(subtract ? result.TrySubtract(b, out var found) : result.TryAdd(b, out found)))
        {
            context.Warn($"incompatible bucket layout encountered for binary operator {(subtract ? '-' : '+')}", position);
            return null;
        }

        if (subtract)
        {
            // A difference counts nothing.
            result.CounterResetHint = CounterResetHint.Gauge;
        }

        var operation = subtract ? "subtraction" : "addition";
        if (found.HasFlag(HistogramReconciliation.CounterResetCollision))
        {
            context.Warn($"conflicting counter resets during histogram {operation}", position);
        }

        if (found.HasFlag(HistogramReconciliation.CustomBounds))
        {
            context.Info($"mismatched custom buckets were reconciled during {operation}", position);
        }

        return result.Compact(0);
    }

    public static FloatHistogram Add(FloatHistogram a, FloatHistogram b) => a.Copy().Add(b);

    /// <summary>
    /// Adds a term to a running sum, which is replaced by one of its own while it is still the shared first term; false when the bucket layouts do not go together.
    /// </summary>
    public static bool Accumulate(ref FloatHistogram sum, ref FloatHistogram? compensation, FloatHistogram term, out bool reconciled)
    {
        // A compensation exists from the first addition on, and so tells whose the sum is.
        var own = compensation is null ? sum.Copy() : sum;
        var fits = own.TryAddCompensated(term, ref compensation, out var found);
        reconciled = found.HasFlag(HistogramReconciliation.CustomBounds);
        if (fits)
        {
            sum = own;
        }

        return fits;
    }

    public static FloatHistogram Total(FloatHistogram sum, FloatHistogram? compensation, double count)
    {
        var total = sum.Copy();
        if (compensation is not null)
        {
            total.Add(compensation);
        }

        return (count == 1 ? total : total.Divide(count)).Compact(0);
    }

    public static string TextOf(FloatHistogram histogram) => histogram.ToString();
}
