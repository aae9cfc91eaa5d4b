namespace Metrics.Model;

/// <summary>Addition and subtraction, plain and compensated.</summary>
public sealed partial class FloatHistogram
{
    private const string IncompatibleSchemas = "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas";

    /// <summary>True when both have exponential or both custom buckets, so that they can be combined.</summary>
    public bool IsCompatibleWith(FloatHistogram other) => UsesCustomBuckets == other.UsesCustomBuckets;

    /// <summary>Adds in place and returns this; the other stays as it is.</summary>
    /// <exception cref="InvalidOperationException">When exponential meets custom buckets.</exception>
    public FloatHistogram Add(FloatHistogram other) => TryAdd(other, out _) ? this : throw new InvalidOperationException(IncompatibleSchemas);

    /// <summary>Subtracts in place and returns this; the other stays as it is. Whether the result is a gauge is for the caller to say.</summary>
    /// <exception cref="InvalidOperationException">When exponential meets custom buckets.</exception>
    public FloatHistogram Subtract(FloatHistogram other) => TrySubtract(other, out _) ? this : throw new InvalidOperationException(IncompatibleSchemas);

    /// <summary>Adds in place: to the coarser schema, the wider zero bucket and the shared custom bounds. False, changing nothing, when exponential meets custom buckets.</summary>
    public bool TryAdd(FloatHistogram other, out HistogramReconciliation found) => TryCombine(other, subtract: false, null, out found);

    /// <summary>As <see cref="TryAdd"/>, subtracting.</summary>
    public bool TrySubtract(FloatHistogram other, out HistogramReconciliation found) => TryCombine(other, subtract: true, null, out found);

    /// <summary>As <see cref="TryAdd"/>, keeping what rounding lost in a second histogram of equal layout (null at first), to be added at the end.</summary>
    public bool TryAddCompensated(FloatHistogram other, ref FloatHistogram? compensation, out HistogramReconciliation found)
    {
        if (!IsCompatibleWith(other))
        {
            found = HistogramReconciliation.None;
            return false;
        }

        compensation ??= NewCompensation();
        return TryCombine(other, subtract: false, compensation, out found);
    }

    private bool TryCombine(FloatHistogram other, bool subtract, FloatHistogram? compensation, out HistogramReconciliation found)
    {
        found = HistogramReconciliation.None;
        if (!IsCompatibleWith(other))
        {
            return false;
        }

        if (AdjustHint(other))
        {
            found |= HistogramReconciliation.CounterResetCollision;
        }

        var otherZeroCount = UsesCustomBuckets ? 0 : ReconcileZeroBuckets(other, compensation);
        CombineTotals(other, otherZeroCount, subtract, compensation);
        if (UsesCustomBuckets && !CustomValues.AsSpan().SequenceEqual(other.CustomValues))
        {
            found |= HistogramReconciliation.CustomBounds;
            CombineByShared(other, subtract, compensation);
            return true;
        }

        var target = Math.Min(Schema, other.Schema);
        Combine(true, other, target, subtract, compensation);
        Combine(false, other, target, subtract, compensation);
        Schema = target;
        if (compensation is not null)
        {
            compensation.Schema = target;
            compensation.ZeroThreshold = ZeroThreshold;
            compensation.CustomValues = CustomValues;
        }

        return true;
    }

    private void CombineTotals(FloatHistogram other, double otherZeroCount, bool subtract, FloatHistogram? compensation)
    {
        if (compensation is null)
        {
            ZeroCount += subtract ? -otherZeroCount : otherZeroCount;
            Count += subtract ? -other.Count : other.Count;
            Sum += subtract ? -other.Sum : other.Sum;
            return;
        }

        (ZeroCount, compensation.ZeroCount) = Sums(otherZeroCount, ZeroCount, compensation.ZeroCount);
        (Count, compensation.Count) = Sums(other.Count, Count, compensation.Count);
        (Sum, compensation.Sum) = Sums(other.Sum, Sum, compensation.Sum);
    }

    private static (double Sum, double Compensation) Sums(double term, double sum, double compensation)
    {
        KahanSum.Add(term, ref sum, ref compensation);
        return (sum, compensation);
    }

    private void Combine(bool positive, FloatHistogram other, int target, bool subtract, FloatHistogram? compensation)
    {
        var spans = positive ? PositiveSpans : NegativeSpans;
        var buckets = positive ? PositiveBuckets : NegativeBuckets;
        var terms = positive ? compensation?.PositiveBuckets : compensation?.NegativeBuckets;
        var otherSpans = positive ? other.PositiveSpans : other.NegativeSpans;
        var otherBuckets = positive ? other.PositiveBuckets : other.NegativeBuckets;
        if (Schema == target && (otherBuckets.Length == 0 || TryCombineAligned(spans, buckets, terms, otherSpans, otherBuckets, other, subtract)))
        {
            return;
        }

        var writer = new BucketWriter(buckets.Length + otherBuckets.Length, terms is not null);
        var ours = new SpanCursor(spans, buckets.Length);
        var theirs = new ReducedBuckets(otherSpans, otherBuckets, other.Schema, target, ZeroThreshold);
        var haveOurs = ours.Next();
        var haveTheirs = theirs.Next();
        while (haveOurs || haveTheirs)
        {
            var index = haveOurs ? HistogramBounds.Reduce(ours.Index, Schema, target) : 0;
            if (haveOurs && (!haveTheirs || index <= theirs.Index))
            {
                writer.Add(index, buckets[ours.Position], terms is null ? 0 : terms[ours.Position]);
                haveOurs = ours.Next();
            }
            else
            {
                writer.Add(theirs.Index, subtract ? -theirs.Count : theirs.Count);
                haveTheirs = theirs.Next();
            }
        }

        writer.Finish(out var newSpans, out var newBuckets, out var newTerms);
        SetSide(positive, newSpans, newBuckets);
        compensation?.SetSide(positive, newSpans, newTerms);
    }

    // Fast path: equal layout, as neighbours in time have.
    private bool TryCombineAligned(
        HistogramSpan[] spans, double[] buckets, double[]? terms, HistogramSpan[] otherSpans, double[] otherBuckets, FloatHistogram other, bool subtract)
    {
        if (other.Schema != Schema || other.ZeroThreshold != ZeroThreshold || buckets.Length != otherBuckets.Length
            || !(spans == otherSpans || spans.AsSpan().SequenceEqual(otherSpans)))
        {
            return false;
        }

        for (var i = 0; i < buckets.Length; i++)
        {
            var value = subtract ? -otherBuckets[i] : otherBuckets[i];
            if (terms is null)
            {
                buckets[i] += value;
            }
            else
            {
                KahanSum.Add(value, ref buckets[i], ref terms[i]);
            }
        }

        return true;
    }

    private void SetSide(bool positive, HistogramSpan[] spans, double[] buckets)
    {
        if (positive)
        {
            SetPositive(spans, buckets);
        }
        else
        {
            SetNegative(spans, buckets);
        }
    }

    private FloatHistogram NewCompensation() => new()
    {
        CounterResetHint = CounterResetHint,
        Schema = Schema,
        ZeroThreshold = ZeroThreshold,
        CustomValues = CustomValues,
        PositiveSpans = PositiveSpans,
        NegativeSpans = NegativeSpans,
        PositiveBuckets = new double[PositiveBuckets.Length],
        NegativeBuckets = new double[NegativeBuckets.Length],
    };

    // Equal hints stay; gauge wins over all; unknown over the rest; reset against no reset is a collision.
    private bool AdjustHint(FloatHistogram other)
    {
        var theirs = other.CounterResetHint;
        if (theirs == CounterResetHint || CounterResetHint == CounterResetHint.Gauge)
        {
            return false;
        }

        if (theirs == CounterResetHint.Gauge)
        {
            CounterResetHint = CounterResetHint.Gauge;
            return false;
        }

        var collision = theirs != CounterResetHint.Unknown && CounterResetHint != CounterResetHint.Unknown;
        CounterResetHint = CounterResetHint.Unknown;
        return collision;
    }
}
