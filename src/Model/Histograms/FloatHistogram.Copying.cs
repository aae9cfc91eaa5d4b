namespace Metrics.Model;

/// <summary>Copies and scaling.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>A copy that may be changed: buckets are copied; spans and custom bounds, which are replaced and never written into, are shared.</summary>
    public FloatHistogram Copy()
    {
        var copy = CopyOfTotals();
        copy.PositiveBuckets = PositiveBuckets.Length == 0 ? [] : (double[])PositiveBuckets.Clone();
        copy.NegativeBuckets = NegativeBuckets.Length == 0 ? [] : (double[])NegativeBuckets.Clone();
        return copy;
    }

    /// <summary>The same histogram with another hint; everything but the hint is shared, so neither may be changed afterwards.</summary>
    public FloatHistogram WithHint(CounterResetHint hint)
    {
        if (hint == CounterResetHint)
        {
            return this;
        }

        var copy = CopyOfTotals();
        copy.PositiveBuckets = PositiveBuckets;
        copy.NegativeBuckets = NegativeBuckets;
        copy.CounterResetHint = hint;
        return copy;
    }

    /// <summary>A copy in a schema not above this one's; custom buckets only to themselves.</summary>
    public FloatHistogram CopyToSchema(int targetSchema) => targetSchema == Schema ? Copy() : CopyOfShared().ReduceResolution(targetSchema);

    /// <summary>True when the sum is the stale marker.</summary>
    public bool IsStale => StaleMarker.Is(Sum);

    /// <summary>Multiplies all counts and the sum, in place; a negative factor makes a gauge. Returns this.</summary>
    public FloatHistogram Multiply(double factor)
    {
        ZeroCount *= factor;
        Count *= factor;
        Sum *= factor;
        Scale(PositiveBuckets, factor);
        Scale(NegativeBuckets, factor);
        if (factor < 0)
        {
            CounterResetHint = CounterResetHint.Gauge;
        }

        return this;
    }

    /// <summary>Divides all counts and the sum, in place; by zero, all buckets but the zero bucket vanish; a negative divisor makes a gauge. Returns this.</summary>
    public FloatHistogram Divide(double divisor)
    {
        ZeroCount /= divisor;
        Count /= divisor;
        Sum /= divisor;
        if (divisor == 0)
        {
            PositiveSpans = NegativeSpans = [];
            PositiveBuckets = NegativeBuckets = [];
            return this;
        }

        for (var i = 0; i < PositiveBuckets.Length; i++)
        {
            PositiveBuckets[i] /= divisor;
        }

        for (var i = 0; i < NegativeBuckets.Length; i++)
        {
            NegativeBuckets[i] /= divisor;
        }

        if (divisor < 0)
        {
            CounterResetHint = CounterResetHint.Gauge;
        }

        return this;
    }

    /// <summary>True when a count, the sum or a custom bound is infinite.</summary>
    public bool HasOverflow() =>
        double.IsInfinity(ZeroCount) || double.IsInfinity(Count) || double.IsInfinity(Sum)
        || AnyInfinite(PositiveBuckets) || AnyInfinite(NegativeBuckets) || AnyInfinite(CustomValues);

    private static void Scale(double[] buckets, double factor)
    {
        for (var i = 0; i < buckets.Length; i++)
        {
            buckets[i] *= factor;
        }
    }

    private static bool AnyInfinite(double[] values)
    {
        foreach (var value in values)
        {
            if (double.IsInfinity(value))
            {
                return true;
            }
        }

        return false;
    }

    private FloatHistogram CopyOfShared()
    {
        var copy = CopyOfTotals();
        copy.PositiveBuckets = PositiveBuckets;
        copy.NegativeBuckets = NegativeBuckets;
        return copy;
    }

    private FloatHistogram CopyOfTotals() => new()
    {
        CounterResetHint = CounterResetHint,
        Schema = Schema,
        ZeroThreshold = ZeroThreshold,
        ZeroCount = ZeroCount,
        Count = Count,
        Sum = Sum,
        PositiveSpans = PositiveSpans,
        NegativeSpans = NegativeSpans,
        CustomValues = CustomValues,
    };
}
