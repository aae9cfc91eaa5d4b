namespace Metrics.Model;

/// <summary>Histograms from other representations.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>Absolute counts from the deltas in which integer histograms keep their buckets.</summary>
    public static double[] FromDeltas(ReadOnlySpan<long> deltas)
    {
        if (deltas.IsEmpty)
        {
            return [];
        }

        var counts = new double[deltas.Length];
        var count = 0L;
        for (var i = 0; i < deltas.Length; i++)
        {
            count = unchecked(count + deltas[i]);
            counts[i] = count;
        }

        return counts;
    }

    /// <summary>A histogram with custom bounds from the cumulative buckets of a classic one.</summary>
    /// <param name="bounds">Upper bounds (<c>le</c>), strictly ascending, +Inf last or absent.</param>
    /// <param name="cumulative">As many cumulative counts, not falling.</param>
    /// <param name="count">The count of all observations; null: that of the highest bucket.</param>
    /// <param name="sum">The sum.</param>
    /// <exception cref="ArgumentException">When bounds or counts are not as said, or the count is not that of the +Inf bucket.</exception>
    public static FloatHistogram FromClassicBuckets(ReadOnlySpan<double> bounds, ReadOnlySpan<double> cumulative, double? count, double sum)
    {
        if (bounds.Length != cumulative.Length)
        {
            throw new ArgumentException($"got {bounds.Length} bounds and {cumulative.Length} counts", nameof(cumulative));
        }

        var total = count ?? (cumulative.IsEmpty ? 0 : cumulative[^1]);
        var hasInfinite = !bounds.IsEmpty && double.IsPositiveInfinity(bounds[^1]);
        var finite = bounds.Length - (hasInfinite ? 1 : 0);
        CheckClassic(bounds, cumulative, total, hasInfinite);
        var buckets = new double[finite + 1];
        var before = 0.0;
        var whole = IsWhole(total);
        for (var i = 0; i < buckets.Length; i++)
        {
            var upTo = i < cumulative.Length ? cumulative[i] : total;
            whole &= IsWhole(upTo);
            buckets[i] = upTo - before;
            before = upTo;
        }

        return new FloatHistogram
        {
            Schema = CustomBucketsSchema,
            Count = total,
            Sum = sum,
            PositiveSpans = [new HistogramSpan(0, (uint)buckets.Length)],
            PositiveBuckets = buckets,
            CustomValues = bounds[..finite].ToArray(),
        }.Compact(whole ? 2 : 0);
    }

    private static bool IsWhole(double value) => Math.Abs(value) < 1L << 62 && Math.Truncate(value) == value;

    private static void CheckClassic(ReadOnlySpan<double> bounds, ReadOnlySpan<double> cumulative, double total, bool hasInfinite)
    {
        for (var i = 0; i < bounds.Length; i++)
        {
            if (double.IsNaN(bounds[i]) || cumulative[i] < 0 || (i > 0 && (bounds[i] <= bounds[i - 1] || cumulative[i] < cumulative[i - 1])))
            {
                throw new ArgumentException($"bucket le={bounds[i]} count={cumulative[i]} does not follow the one before", nameof(bounds));
            }
        }

        if (total < 0 || (hasInfinite && total != cumulative[^1]) || (!cumulative.IsEmpty && total < cumulative[^1]))
        {
            throw new ArgumentException($"count mismatch: count={total}, highest bucket={(cumulative.IsEmpty ? 0 : cumulative[^1])}", nameof(cumulative));
        }
    }
}
