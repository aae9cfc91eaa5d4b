namespace Metrics.Model;

/// <summary>The buckets of one sign in one direction; also its own enumerator.</summary>
public struct BucketSequence
{
    private readonly HistogramSpan[] spans;
    private readonly double[] buckets;
    private readonly double[] customValues;
    private readonly int schema;
    private readonly bool positive;
    private readonly bool outwards;
    private int span;
    private uint left;
    private int index;
    private int position;

    internal BucketSequence(FloatHistogram histogram, bool positive, bool outwards)
    {
        this.positive = positive;
        this.outwards = outwards;
        spans = positive ? histogram.PositiveSpans : histogram.NegativeSpans;
        buckets = positive ? histogram.PositiveBuckets : histogram.NegativeBuckets;
        customValues = histogram.CustomValues;
        schema = histogram.Schema;
        index = -1;
        span = -1;
        position = -1;
        if (!outwards)
        {
            StartAtEnd();
        }
    }

    /// <summary>The current bucket.</summary>
    public readonly HistogramBucket Current
    {
        get
        {
            var count = buckets[position];
            if (schema == FloatHistogram.CustomBucketsSchema)
            {
                return new(HistogramBounds.Custom(index - 1, customValues), HistogramBounds.Custom(index, customValues), index == 0, true, count, index);
            }

            var far = HistogramBounds.Exponential(index, schema);
            var near = HistogramBounds.Exponential(index - 1, schema);
            return positive ? new(near, far, false, true, count, index) : new(-far, -near, true, false, count, index);
        }
    }

    /// <summary>The position of the current bucket in its bucket array.</summary>
    public readonly int Position => position;

    /// <summary>Moves on.</summary>
    public bool MoveNext() => outwards ? Out() : In();

    /// <summary>This.</summary>
    public readonly BucketSequence GetEnumerator() => this;

    private bool Out()
    {
        if (position + 1 >= buckets.Length)
        {
            return false;
        }

        while (left == 0)
        {
            if (++span >= spans.Length)
            {
                return false;
            }

            index += spans[span].Offset;
            left = spans[span].Length;
        }

        left--;
        index++;
        position++;
        return true;
    }

    private bool In()
    {
        if (position <= 0)
        {
            return false;
        }

        while (left == 0)
        {
            index -= spans[span].Offset;
            if (--span < 0)
            {
                return false;
            }

            left = spans[span].Length;
        }

        left--;
        index--;
        position--;
        return true;
    }

    // Behind the last bucket that exists: spans may promise more than there are.
    private void StartAtEnd()
    {
        var rest = (uint)buckets.Length;
        index = 0;
        position = 0;
        for (span = 0; span < spans.Length; span++)
        {
            left = Math.Min(spans[span].Length, rest);
            rest -= left;
            index += spans[span].Offset + (int)left;
            position += (int)left;
            if (rest == 0)
            {
                return;
            }
        }

        span = spans.Length - 1;
    }
}
