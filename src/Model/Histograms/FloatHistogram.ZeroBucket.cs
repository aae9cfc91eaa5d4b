namespace Metrics.Model;

/// <summary>Zero buckets of different width brought to one.</summary>
public sealed partial class FloatHistogram
{
    // Widens ours until it takes in theirs and cuts no populated bucket of either; returns what theirs then counts.
    private double ReconcileZeroBuckets(FloatHistogram other, FloatHistogram? compensation)
    {
        var otherCount = other.ZeroCount;
        var otherThreshold = other.ZeroThreshold;
        while (otherThreshold != ZeroThreshold)
        {
            if (ZeroThreshold > otherThreshold)
            {
                otherThreshold = ZeroThreshold;
                otherCount = other.ZeroCountFor(ref otherThreshold, null, out _);
            }

            if (otherThreshold > ZeroThreshold)
            {
                var threshold = otherThreshold;
                ZeroCount = ZeroCountFor(ref threshold, compensation, out var term);
                ZeroThreshold = threshold;
                if (compensation is not null)
                {
                    compensation.ZeroCount = term;
                }

                EmptyWithinZero(compensation);
            }
            else if (!(otherThreshold <= ZeroThreshold))
            {
                break; // NaN thresholds cannot be reconciled.
            }
        }

        return otherCount;
    }

    // The zero count at a wider threshold, which is moved outwards when it would cut a populated bucket.
    private double ZeroCountFor(ref double threshold, FloatHistogram? compensation, out double term)
    {
        term = compensation?.ZeroCount ?? 0;
        if (threshold == ZeroThreshold)
        {
            return ZeroCount;
        }

        while (true)
        {
            var count = ZeroCount;
            term = compensation?.ZeroCount ?? 0;
            var positive = PositiveBucketsAscending();
            while (positive.MoveNext() && positive.Current is var bucket && bucket.Lower < threshold)
            {
                Take(bucket.Count, compensation?.PositiveBuckets, positive.Position, ref count, ref term);
                if (bucket.Upper > threshold)
                {
                    threshold = bucket.Count != 0 ? bucket.Upper : threshold;
                    break;
                }
            }

            if (!TakeNegative(ref threshold, compensation, ref count, ref term))
            {
                return count;
            }
        }
    }

    // True when the threshold moved, so that the positive side must be looked at again.
    private bool TakeNegative(ref double threshold, FloatHistogram? compensation, ref double count, ref double term)
    {
        var negative = NegativeBucketsDescending();
        while (negative.MoveNext() && negative.Current is var bucket && bucket.Upper > -threshold)
        {
            Take(bucket.Count, compensation?.NegativeBuckets, negative.Position, ref count, ref term);
            if (bucket.Lower < -threshold)
            {
                if (bucket.Count != 0)
                {
                    threshold = -bucket.Lower;
                    return true;
                }

                break;
            }
        }

        return false;
    }

    private static void Take(double value, double[]? terms, int position, ref double count, ref double term)
    {
        KahanSum.Add(value, ref count, ref term);
        if (terms is not null)
        {
            KahanSum.Add(terms[position], ref count, ref term);
        }
    }

    private void EmptyWithinZero(FloatHistogram? compensation)
    {
        var positive = PositiveBucketsAscending();
        while (positive.MoveNext() && positive.Current.Lower < ZeroThreshold)
        {
            Empty(PositiveBuckets, compensation?.PositiveBuckets, positive.Position);
        }

        var negative = NegativeBucketsDescending();
        while (negative.MoveNext() && negative.Current.Upper > -ZeroThreshold)
        {
            Empty(NegativeBuckets, compensation?.NegativeBuckets, negative.Position);
        }

        Compact(0, compensation);
    }

    private static void Empty(double[] buckets, double[]? terms, int position)
    {
        buckets[position] = 0;
        if (terms is not null)
        {
            terms[position] = 0;
        }
    }
}
