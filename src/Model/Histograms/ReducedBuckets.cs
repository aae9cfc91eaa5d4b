namespace Metrics.Model;

/// <summary>Walks buckets as a coarser schema would hold them, leaving out leading ones that end at or below a threshold.</summary>
internal struct ReducedBuckets
{
    private readonly double[] buckets;
    private readonly int schema;
    private readonly int targetSchema;
    private readonly double threshold;
    private SpanCursor cursor;
    private bool more;
    private bool beyond;

    public ReducedBuckets(HistogramSpan[] spans, double[] buckets, int schema, int targetSchema, double threshold)
    {
        this.buckets = buckets;
        this.schema = schema;
        this.targetSchema = targetSchema;
        this.threshold = threshold;
        cursor = new SpanCursor(spans, buckets.Length);
        more = cursor.Next();
        beyond = threshold == 0 || schema == FloatHistogram.CustomBucketsSchema;
    }

    /// <summary>The index in the target schema.</summary>
    public int Index { get; private set; }

    /// <summary>The count of all buckets that fall into it.</summary>
    public double Count { get; private set; }

    /// <summary>Moves on.</summary>
    public bool Next()
    {
        while (more)
        {
            Index = HistogramBounds.Reduce(cursor.Index, schema, targetSchema);
            Count = 0;
            do
            {
                Count += buckets[cursor.Position];
                more = cursor.Next();
            }
            while (more && HistogramBounds.Reduce(cursor.Index, schema, targetSchema) == Index);
            if (beyond || HistogramBounds.Exponential(Index, targetSchema) > threshold)
            {
                beyond = true;
                return true;
            }
        }

        return false;
    }
}
