namespace Metrics.Model;

/// <summary>Iteration over buckets; enumerators are structs and allocate nothing.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>The zero bucket: [-threshold, threshold]. Exponential schemas only.</summary>
    public HistogramBucket ZeroBucket => new(-ZeroThreshold, ZeroThreshold, true, true, ZeroCount, 0);

    /// <summary>Positive buckets from the lowest up (all buckets, when bounds are custom).</summary>
    public BucketSequence PositiveBucketsAscending() => new(this, positive: true, outwards: true);

    /// <summary>Positive buckets from the highest down.</summary>
    public BucketSequence PositiveBucketsDescending() => new(this, positive: true, outwards: false);

    /// <summary>Negative buckets from the lowest up to zero.</summary>
    public BucketSequence NegativeBucketsAscending() => new(this, positive: false, outwards: false);

    /// <summary>Negative buckets from next to zero down.</summary>
    public BucketSequence NegativeBucketsDescending() => new(this, positive: false, outwards: true);

    /// <summary>Negative, zero (when populated) and positive buckets from the lowest up; bounds inside the zero bucket are moved to its edge.</summary>
    public AllBucketSequence AllBuckets() => new(this, descending: false);

    /// <summary>As <see cref="AllBuckets"/>, from the highest down.</summary>
    public AllBucketSequence AllBucketsDescending() => new(this, descending: true);
}
