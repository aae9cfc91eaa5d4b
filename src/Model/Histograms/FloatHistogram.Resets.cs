namespace Metrics.Model;

/// <summary>Detection of counter resets.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>True when this histogram restarted counting since <paramref name="previous"/>: the hint says so or, for want of one, some count (not the sum) fell.</summary>
    /// <remarks>A finer schema or a narrower zero bucket is a reset; a coarser or wider one is compared after reducing the previous, which is not changed.</remarks>
    public bool DetectReset(FloatHistogram previous)
    {
        switch (CounterResetHint)
        {
            case CounterResetHint.Reset: return true;
            case CounterResetHint.NotReset: return false;
        }

        if (Count < previous.Count)
        {
            return true;
        }

        if (UsesCustomBuckets)
        {
            if (!previous.UsesCustomBuckets)
            {
                return true;
            }

            if (!CustomValues.AsSpan().SequenceEqual(previous.CustomValues))
            {
                return FellByShared(previous);
            }
        }

        if (Schema > previous.Schema || previous.UsesCustomBuckets != UsesCustomBuckets || ZeroThreshold < previous.ZeroThreshold)
        {
            return true;
        }

        var threshold = ZeroThreshold;
        var previousZero = previous.ZeroCountFor(ref threshold, null, out _);
        return threshold != ZeroThreshold || ZeroCount < previousZero
            || Fell(PositiveSpans, PositiveBuckets, previous.PositiveSpans, previous.PositiveBuckets, previous)
            || Fell(NegativeSpans, NegativeBuckets, previous.NegativeSpans, previous.NegativeBuckets, previous);
    }

    private bool Fell(HistogramSpan[] spans, double[] buckets, HistogramSpan[] previousSpans, double[] previousBuckets, FloatHistogram previous)
    {
        if (previous.Schema == Schema && previous.ZeroThreshold == ZeroThreshold && buckets.Length == previousBuckets.Length
            && (spans == previousSpans || spans.AsSpan().SequenceEqual(previousSpans)))
        {
            return FellAligned(buckets, previousBuckets);
        }

        var now = new ReducedBuckets(spans, buckets, Schema, Schema, ZeroThreshold);
        var before = new ReducedBuckets(previousSpans, previousBuckets, previous.Schema, Schema, ZeroThreshold);
        var haveNow = now.Next();
        while (before.Next())
        {
            while (haveNow && now.Index < before.Index)
            {
                haveNow = now.Next();
            }

            if (haveNow && now.Index == before.Index ? now.Count < before.Count : before.Count != 0)
            {
                return true;
            }
        }

        return false;
    }

    // Buckets inside the zero bucket count in both, which at equal layout and threshold changes nothing but for malformed histograms.
    private static bool FellAligned(double[] buckets, double[] previous)
    {
        for (var i = 0; i < buckets.Length; i++)
        {
            if (buckets[i] < previous[i])
            {
                return true;
            }
        }

        return false;
    }

    private bool FellByShared(FloatHistogram previous)
    {
        var now = PositiveBucketsAscending();
        var before = previous.PositiveBucketsAscending();
        var haveNow = now.MoveNext();
        var haveBefore = before.MoveNext();
        for (int i = 0, j = 0; i <= CustomValues.Length && j <= previous.CustomValues.Length;)
        {
            var bound = HistogramBounds.Custom(i, CustomValues);
            var previousBound = HistogramBounds.Custom(j, previous.CustomValues);
            if (bound == previousBound)
            {
                if (UpTo(bound, ref now, ref haveNow) < UpTo(bound, ref before, ref haveBefore))
                {
                    return true;
                }

                i++;
                j++;
            }
            else if (bound < previousBound)
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return false;
    }

    private static double UpTo(double bound, ref BucketSequence buckets, ref bool have)
    {
        var sum = 0.0;
        while (have && buckets.Current is var bucket && bucket.Upper <= bound)
        {
            sum += bucket.Count;
            have = buckets.MoveNext();
        }

        return sum;
    }
}
