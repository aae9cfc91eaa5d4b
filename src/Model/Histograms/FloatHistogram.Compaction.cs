namespace Metrics.Model;

/// <summary>Layouts without waste, and coarser ones.</summary>
public sealed partial class FloatHistogram
{
    // Hostile spans may lie 2^32 apart; no compaction fills such a gap.
    private const int MaxFilledGap = 1 << 16;

    /// <summary>Drops empty buckets, except runs of at most <paramref name="maxEmpty"/> between populated ones, which are made explicit. In place; returns this.</summary>
    public FloatHistogram Compact(int maxEmpty)
    {
        Compact(maxEmpty, null);
        return this;
    }

    /// <summary>Merges buckets to a coarser schema, in place. Returns this.</summary>
    /// <exception cref="InvalidOperationException">When the target is finer or bounds are custom.</exception>
    public FloatHistogram ReduceResolution(int targetSchema)
    {
        if (targetSchema == Schema)
        {
            return this;
        }

        if (UsesCustomBuckets || targetSchema == CustomBucketsSchema || targetSchema > Schema)
        {
            throw new InvalidOperationException($"cannot reduce resolution from schema {Schema} to {targetSchema}");
        }

        (PositiveSpans, PositiveBuckets) = Reduced(PositiveSpans, PositiveBuckets, targetSchema);
        (NegativeSpans, NegativeBuckets) = Reduced(NegativeSpans, NegativeBuckets, targetSchema);
        Schema = targetSchema;
        return this;
    }

    private void Compact(int maxEmpty, FloatHistogram? compensation)
    {
        if (!IsCompact(PositiveSpans, PositiveBuckets, maxEmpty))
        {
            (PositiveSpans, PositiveBuckets, var terms) = Compacted(PositiveSpans, PositiveBuckets, compensation?.PositiveBuckets, maxEmpty);
            compensation?.SetPositive(PositiveSpans, terms);
        }

        if (!IsCompact(NegativeSpans, NegativeBuckets, maxEmpty))
        {
            (NegativeSpans, NegativeBuckets, var terms) = Compacted(NegativeSpans, NegativeBuckets, compensation?.NegativeBuckets, maxEmpty);
            compensation?.SetNegative(NegativeSpans, terms);
        }
    }

    private void SetPositive(HistogramSpan[] spans, double[] buckets)
    {
        PositiveSpans = spans;
        PositiveBuckets = buckets;
    }

    private void SetNegative(HistogramSpan[] spans, double[] buckets)
    {
        NegativeSpans = spans;
        NegativeBuckets = buckets;
    }

    private static bool IsCompact(HistogramSpan[] spans, double[] buckets, int maxEmpty)
    {
        for (var i = 0; i < spans.Length; i++)
        {
            if (spans[i].Length == 0 || (i > 0 && spans[i].Offset <= maxEmpty))
            {
                return false;
            }
        }

        foreach (var bucket in buckets)
        {
            if (bucket == 0)
            {
                return false;
            }
        }

        return true;
    }

    private static (HistogramSpan[] Spans, double[] Buckets, double[] Terms) Compacted(HistogramSpan[] spans, double[] buckets, double[]? terms, int maxEmpty)
    {
        var gapLimit = Math.Min(maxEmpty, MaxFilledGap);
        var writer = new BucketWriter(CapacityToFill(spans, buckets, gapLimit), terms is not null);
        var cursor = new SpanCursor(spans, buckets.Length);
        while (cursor.Next())
        {
            var term = terms is null ? 0 : terms[cursor.Position];
            if (buckets[cursor.Position] == 0 && term == 0)
            {
                continue;
            }

            if (!writer.IsEmpty && cursor.Index - writer.Last - 1L <= gapLimit)
            {
                writer.FillTo(cursor.Index);
            }

            writer.Add(cursor.Index, buckets[cursor.Position], term);
        }

        writer.Finish(out var newSpans, out var newBuckets, out var newTerms);
        return (newSpans, newBuckets, newTerms);
    }

    private static int CapacityToFill(HistogramSpan[] spans, double[] buckets, int gapLimit)
    {
        var capacity = buckets.Length;
        for (var i = 1; i < spans.Length; i++)
        {
            capacity += Math.Clamp(spans[i].Offset, 0, gapLimit);
        }

        return capacity;
    }

    private (HistogramSpan[] Spans, double[] Buckets) Reduced(HistogramSpan[] spans, double[] buckets, int targetSchema)
    {
        var writer = new BucketWriter(buckets.Length, compensated: false);
        var cursor = new SpanCursor(spans, buckets.Length);
        while (cursor.Next())
        {
            writer.Add(HistogramBounds.Reduce(cursor.Index, Schema, targetSchema), buckets[cursor.Position]);
        }

        writer.Finish(out var newSpans, out var newBuckets);
        return (newSpans, newBuckets);
    }
}
