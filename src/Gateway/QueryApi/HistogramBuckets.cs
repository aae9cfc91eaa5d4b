using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.QueryApi;

/// <summary>Walks the buckets of a native histogram from the lowest to the highest, for the JSON of answers.</summary>
/// <remarks>
/// Bucket i of schema s ends at 2^(i * 2^-s); negative buckets mirror positive ones; a bucket that reaches into the zero bucket ends at its border.
/// prometheus/prometheus model/histogram/generic.go and float_histogram.go, AllBucketIterator.
/// </remarks>
internal struct HistogramBuckets : IHistogramBuckets
{
    private readonly FloatHistogram histogram;
    private readonly int[] negativeIndexes;
    private readonly int[] positiveIndexes;
    private int next;

    /// <summary>Starts at the lowest bucket.</summary>
    public HistogramBuckets(FloatHistogram histogram)
    {
        this.histogram = histogram;
        negativeIndexes = IndexesOf(histogram.NegativeSpans, histogram.NegativeBuckets.Length);
        positiveIndexes = IndexesOf(histogram.PositiveSpans, histogram.PositiveBuckets.Length);
    }

    /// <inheritdoc/>
    public bool TryNext(out HistogramBucket bucket)
    {
        var at = next++;
        if (at < negativeIndexes.Length)
        {
            var i = negativeIndexes.Length - 1 - at;
            bucket = Clip(Of(-Bound(negativeIndexes[i]), -Bound(negativeIndexes[i] - 1), negativeIndexes[i], histogram.NegativeBuckets[i]));
            return true;
        }

        at -= negativeIndexes.Length;
        if (at == 0)
        {
            bucket = new HistogramBucket(-histogram.ZeroThreshold, histogram.ZeroThreshold, true, true, histogram.ZeroCount);
            return true;
        }

        at--;
        if (at < positiveIndexes.Length)
        {
            bucket = Clip(Of(Bound(positiveIndexes[at] - 1), Bound(positiveIndexes[at]), positiveIndexes[at], histogram.PositiveBuckets[at]));
            return true;
        }

        bucket = default;
        return false;
    }

    private readonly HistogramBucket Of(double lower, double upper, int index, double count) => histogram.UsesCustomBuckets
        ? new HistogramBucket(lower, upper, index == 0, true, count)
        : new HistogramBucket(lower, upper, lower < 0, upper > 0, count);

    private readonly HistogramBucket Clip(HistogramBucket bucket)
    {
        if (bucket.Upper < 0 && bucket.Upper > -histogram.ZeroThreshold)
        {
            return bucket with { Upper = -histogram.ZeroThreshold };
        }

        return bucket.Lower > 0 && bucket.Lower < histogram.ZeroThreshold ? bucket with { Lower = histogram.ZeroThreshold } : bucket;
    }

    private readonly double Bound(int index)
    {
        if (histogram.UsesCustomBuckets)
        {
            return index < 0 ? double.NegativeInfinity : index < histogram.CustomValues.Length ? histogram.CustomValues[index] : double.PositiveInfinity;
        }

        // The last bucket of the float range ends at its largest number; the one after it, at infinity.
        var exponent = index * Math.Pow(2, -histogram.Schema);
        return exponent == 1024 ? double.MaxValue : Math.Pow(2, exponent);
    }

    private static int[] IndexesOf(HistogramSpan[] spans, int count)
    {
        var indexes = new int[count];
        var filled = 0;
        var at = 0;
        foreach (var span in spans)
        {
            at += span.Offset;
            for (var i = 0u; i < span.Length && filled < count; i++)
            {
                indexes[filled++] = at++;
            }
        }

        return indexes;
    }
}
