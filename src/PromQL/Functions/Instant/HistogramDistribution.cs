using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>What is worth a remark about the distribution of a native histogram.</summary>
internal enum DistributionRemark
{
    None,

    /// <summary>The quantile lies among observations that were NaN.</summary>
    ResultIsNaN,

    /// <summary>Observations that were NaN count as larger than all others.</summary>
    SkewedByNaN,

    /// <summary>Observations that were NaN are in no fraction.</summary>
    NaNExcluded,
}

/// <summary>Quantiles, fractions and variance of native histograms.</summary>
/// <remarks>
/// promql/quantile.go and functions.go. Observations are taken to lie evenly in custom buckets and in the zero bucket, and evenly on a logarithmic scale in exponential
/// ones. A zero bucket beside buckets of one sign only ends at zero.
/// </remarks>
internal static class HistogramDistribution
{
    /// <summary>The variance about the mean, each bucket at its middle: geometric for exponential buckets, zero for the zero bucket.</summary>
    public static double Variance(FloatHistogram histogram)
    {
        var mean = histogram.Sum / histogram.Count;
        double sum = 0, compensation = 0;
        foreach (var bucket in histogram.AllBuckets())
        {
            if (bucket.Count == 0)
            {
                continue;
            }

            var middle = histogram.UsesCustomBuckets ? (bucket.Upper + bucket.Lower) / 2
                : bucket.Lower <= 0 && bucket.Upper >= 0 ? 0
                : Math.CopySign(Math.Sqrt(bucket.Upper * bucket.Lower), bucket.Upper);
            KahanSum.Add(bucket.Count * (middle - mean) * (middle - mean), ref sum, ref compensation);
        }

        return (sum + compensation) / histogram.Count;
    }

    /// <summary>The value below which a share of the observations lies.</summary>
    public static double Quantile(double q, FloatHistogram histogram, out DistributionRemark remark)
    {
        remark = DistributionRemark.None;
        if (q < 0)
        {
            return double.NegativeInfinity;
        }

        if (q > 1)
        {
            return double.PositiveInfinity;
        }

        if (histogram.Count == 0 || double.IsNaN(q))
        {
            return double.NaN;
        }

        // From the nearer end, to lose less; but observations that are NaN are counted and in no bucket, so with them only the lower end is sure.
        var upwards = double.IsNaN(histogram.Sum) || q < 0.5;
        var rank = (upwards ? q : 1 - q) * histogram.Count;
        var buckets = upwards ? histogram.AllBuckets() : histogram.AllBucketsDescending();
        var bucket = default(HistogramBucket);
        double count = 0;
        while (buckets.MoveNext())
        {
            bucket = buckets.Current;
            count += bucket.Count;
            if (bucket.Count != 0 && count >= rank)
            {
                break;
            }
        }

        if (histogram.UsesCustomBuckets)
        {
            if (double.IsNegativeInfinity(bucket.Lower))
            {
                if (bucket.Upper <= 0)
                {
                    return bucket.Upper;
                }

                bucket = bucket with { Lower = 0 };
            }
            else if (double.IsPositiveInfinity(bucket.Upper))
            {
                return bucket.Lower;
            }
        }
        else if (bucket.Lower < 0 && bucket.Upper > 0)
        {
            bucket = EndedAtZero(histogram, bucket);
        }

        count = Math.Min(count, histogram.Count);
        if (count < rank)
        {
            remark = double.IsNaN(histogram.Sum) ? DistributionRemark.ResultIsNaN : DistributionRemark.None;
            return double.IsNaN(histogram.Sum) ? double.NaN : bucket.Upper;
        }

        var within = upwards ? rank - (count - bucket.Count) : count - rank;
        if (double.IsNaN(histogram.Sum))
        {
            // Counting on moves the bucket that is interpolated in, too: so does Prometheus, and answers are to be equal.
            var all = count;
            while (buckets.MoveNext())
            {
                bucket = buckets.Current;
                all += bucket.Count;
            }

            remark = all < histogram.Count ? DistributionRemark.SkewedByNaN : DistributionRemark.None;
        }

        return Interpolate(bucket, within / bucket.Count, histogram.UsesCustomBuckets || (bucket.Lower <= 0 && bucket.Upper >= 0));
    }

    /// <summary>The share of observations between two bounds.</summary>
    public static double Fraction(double lower, double upper, FloatHistogram histogram, out DistributionRemark remark)
    {
        remark = DistributionRemark.None;
        if (histogram.Count == 0 || double.IsNaN(lower) || double.IsNaN(upper))
        {
            return double.NaN;
        }

        if (lower >= upper)
        {
            return 0;
        }

        double? lowerRank = null, upperRank = null;
        double rank = 0, count = 0;
        var buckets = histogram.AllBuckets();
        while ((lowerRank is null || upperRank is null) && buckets.MoveNext())
        {
            var bucket = buckets.Current;
            count += bucket.Count;
            var isZero = bucket.Lower <= 0 && bucket.Upper >= 0;
            if (isZero)
            {
                bucket = EndedAtZero(histogram, bucket);
            }

            lowerRank ??= RankOf(lower, bucket, rank, histogram.UsesCustomBuckets || isZero);
            upperRank ??= RankOf(upper, bucket, rank, histogram.UsesCustomBuckets || isZero);
            rank += bucket.Count;
        }

        if (double.IsNaN(histogram.Sum))
        {
            while (buckets.MoveNext())
            {
                count += buckets.Current.Count;
            }

            remark = count < histogram.Count ? DistributionRemark.NaNExcluded : DistributionRemark.None;
        }
        else
        {
            count = histogram.Count;
        }

        var from = lowerRank is { } l && l <= count ? l : count;
        var to = upperRank is { } u && u <= count ? u : count;
        return (to - from) / histogram.Count;
    }

    /// <summary>Observations below a value, when it lies at the bucket's lower bound or inside; null when it lies further up.</summary>
    private static double? RankOf(double value, in HistogramBucket bucket, double below, bool linear)
    {
        if (bucket.Lower >= value)
        {
            return below;
        }

        if (bucket.Upper <= value)
        {
            return null;
        }

        // Nothing can be told about the inside of a bucket without a lower end.
        return linear && double.IsNegativeInfinity(bucket.Lower) ? bucket.Count : below + (bucket.Count * bucket.FractionBelow(value, linear));
    }

    private static HistogramBucket EndedAtZero(FloatHistogram histogram, in HistogramBucket bucket) => (histogram.NegativeBuckets.Length, histogram.PositiveBuckets.Length) switch
    {
        (0, > 0) => bucket with { Lower = 0 },
        ( > 0, 0) => bucket with { Upper = 0 },
        _ => bucket,
    };

    private static double Interpolate(in HistogramBucket bucket, double fraction, bool linear)
    {
        if (linear)
        {
            return bucket.Lower + ((bucket.Upper - bucket.Lower) * fraction);
        }

        var logLower = Math.Log2(Math.Abs(bucket.Lower));
        var logUpper = Math.Log2(Math.Abs(bucket.Upper));
        return bucket.Lower > 0
            ? Math.Pow(2, logLower + ((logUpper - logLower) * fraction))
            : -Math.Pow(2, logUpper + ((logLower - logUpper) * (1 - fraction)));
    }
}
