namespace Metrics.Wire;

/// <summary>A bucket as the API shows it.</summary>
/// <param name="Lower">Lower bound.</param>
/// <param name="Upper">Upper bound.</param>
/// <param name="LowerInclusive">Whether an observation equal to the lower bound is in.</param>
/// <param name="UpperInclusive">Whether an observation equal to the upper bound is in.</param>
/// <param name="Count">Observations in the bucket.</param>
public readonly record struct HistogramBucket(double Lower, double Upper, bool LowerInclusive, bool UpperInclusive, double Count);

/// <summary>Yields the buckets of a histogram from the lowest to the highest: negative ones, the zero bucket, positive ones. Empty ones may be among them.</summary>
public interface IHistogramBuckets
{
    /// <summary>Steps to the next bucket; false at the end.</summary>
    bool TryNext(out HistogramBucket bucket);
}
