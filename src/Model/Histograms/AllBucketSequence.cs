namespace Metrics.Model;

/// <summary>All buckets of a histogram in order; also its own enumerator.</summary>
public struct AllBucketSequence
{
    private readonly FloatHistogram histogram;
    private BucketSequence first;
    private BucketSequence second;
    private int state;

    internal AllBucketSequence(FloatHistogram histogram, bool descending)
    {
        this.histogram = histogram;
        first = new BucketSequence(histogram, positive: descending, outwards: false);
        second = new BucketSequence(histogram, positive: !descending, outwards: true);
    }

    /// <summary>The current bucket.</summary>
    public HistogramBucket Current { get; private set; }

    /// <summary>Moves on.</summary>
    public bool MoveNext()
    {
        if (state == 0)
        {
            if (first.MoveNext())
            {
                Current = OutsideZero(first.Current);
                return true;
            }

            state = 1;
            if (histogram.ZeroCount > 0)
            {
                Current = histogram.ZeroBucket;
                return true;
            }
        }

        if (!second.MoveNext())
        {
            return false;
        }

        Current = OutsideZero(second.Current);
        return true;
    }

    /// <summary>This.</summary>
    public readonly AllBucketSequence GetEnumerator() => this;

    private readonly HistogramBucket OutsideZero(in HistogramBucket bucket)
    {
        var threshold = histogram.ZeroThreshold;
        return bucket.Upper < 0 && bucket.Upper > -threshold ? bucket with { Upper = -threshold }
            : bucket.Lower > 0 && bucket.Lower < threshold ? bucket with { Lower = threshold }
            : bucket;
    }
}
