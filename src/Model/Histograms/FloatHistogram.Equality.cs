namespace Metrics.Model;

/// <summary>Equality of data: by bits, over the same bucket layout.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>True when schema, totals, zero bucket, custom bounds and all buckets, empty ones included, are the same bits.</summary>
    /// <param name="other">The other; null equals nothing.</param>
    /// <param name="withHint">Whether the counter reset hints must agree too.</param>
    public bool HasSameDataAs(FloatHistogram? other, bool withHint = false) =>
        other is not null && (!withHint || CounterResetHint == other.CounterResetHint)
        && Schema == other.Schema && SameBits(Count, other.Count) && SameBits(Sum, other.Sum)
        && ZeroThreshold == other.ZeroThreshold && SameBits(ZeroCount, other.ZeroCount)
        && (!UsesCustomBuckets || CustomValues.AsSpan().SequenceEqual(other.CustomValues))
        && SameBits(PositiveBuckets, other.PositiveBuckets) && SameLayout(PositiveSpans, other.PositiveSpans)
        && SameBits(NegativeBuckets, other.NegativeBuckets) && SameLayout(NegativeSpans, other.NegativeSpans);

    private static bool SameBits(double a, double b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b);

    private static bool SameBits(double[] a, double[] b)
    {
        if (a.Length != b.Length)
        {
            return false;
        }

        for (var i = 0; i < a.Length; i++)
        {
            if (!SameBits(a[i], b[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static bool SameLayout(HistogramSpan[] a, HistogramSpan[] b)
    {
        if (a == b || a.AsSpan().SequenceEqual(b))
        {
            return true;
        }

        // Span by span, since a span may be cut in two or be empty; a length of billions costs one step.
        int i = 0, j = 0;
        var left = Take(a, ref i);
        var right = Take(b, ref j);
        while (left.Length != 0 && right.Length != 0)
        {
            var run = Math.Min(left.Length, right.Length);
            if (left.Offset != right.Offset)
            {
                return false;
            }

            left = left.Length == run ? Take(a, ref i) : new(0, left.Length - run);
            right = right.Length == run ? Take(b, ref j) : new(0, right.Length - run);
        }

        return left.Length == right.Length;
    }

    private static HistogramSpan Take(HistogramSpan[] spans, ref int next)
    {
        var offset = 0;
        while (next < spans.Length)
        {
            var span = spans[next++];
            offset += span.Offset;
            if (span.Length != 0)
            {
                return new(offset, span.Length);
            }
        }

        return default;
    }
}
