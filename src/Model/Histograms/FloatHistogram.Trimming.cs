namespace Metrics.Model;

/// <summary>The operators <c>&lt;/</c> and <c>&gt;/</c>: observations above or below a value cut off.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>Keeps the observations below (<paramref name="isUpper"/>) or above a value, in place, estimating within the bucket it falls into. Returns this.</summary>
    /// <remarks>When anything is cut, count and sum become estimates from what is left.</remarks>
    public FloatHistogram TrimBuckets(double bound, bool isUpper)
    {
        var trim = new HistogramTrim(bound, isUpper, UsesCustomBuckets);
        var hasPositive = trim.Apply(PositiveBucketsAscending(), PositiveBuckets, positive: true);
        var hasNegative = trim.Apply(NegativeBucketsDescending(), NegativeBuckets, positive: false);
        if (ZeroCount > 0)
        {
            ZeroCount = trim.KeepOfZero(ZeroBucket, hasNegative, hasPositive);
        }

        if (trim.Changed)
        {
            Count = trim.Count;
            Sum = trim.Sum;
            Compact(0);
        }

        return this;
    }
}
