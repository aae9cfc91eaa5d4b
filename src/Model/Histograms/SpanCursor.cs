namespace Metrics.Model;

/// <summary>Walks the buckets that spans describe, outwards from zero; ends early where there are fewer buckets than spans say.</summary>
internal struct SpanCursor(HistogramSpan[] spans, int buckets)
{
    private int span = -1;
    private uint left;

    /// <summary>The schema index of the bucket.</summary>
    public int Index { get; private set; } = -1;

    /// <summary>The position of the bucket in the bucket array.</summary>
    public int Position { get; private set; } = -1;

    /// <summary>Moves on.</summary>
    public bool Next()
    {
        if (Position + 1 >= buckets)
        {
            return false;
        }

        while (left == 0)
        {
            if (++span >= spans.Length)
            {
                return false;
            }

            Index += spans[span].Offset;
            left = spans[span].Length;
        }

        left--;
        Index++;
        Position++;
        return true;
    }
}
