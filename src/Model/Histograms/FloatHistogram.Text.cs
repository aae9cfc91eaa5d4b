using System.Text;

namespace Metrics.Model;

/// <summary>Histograms as text.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>As Prometheus prints histograms: <c>{count:3, sum:4.5, [-0.1,0.1]:1, (1,2]:2}</c>, populated buckets from the lowest up.</summary>
    public override string ToString()
    {
        var text = new StringBuilder($"{{count:{ShortestNumber.Of(Count)}, sum:{ShortestNumber.Of(Sum)}");
        foreach (var bucket in NegativeBucketsAscending())
        {
            Append(text, bucket);
        }

        if (ZeroCount != 0)
        {
            Append(text, ZeroBucket);
        }

        foreach (var bucket in PositiveBucketsAscending())
        {
            Append(text, bucket);
        }

        return text.Append('}').ToString();
    }

    /// <summary>As test scripts write histograms: <c>{{schema:1 count:3 sum:4.5 offset:2 buckets:[1 2]}}</c>; buckets too far apart to be one list follow as further lists.</summary>
    public string ToTestExpression()
    {
        var parts = new List<string>();
        var compact = Copy().Compact(int.MaxValue);
        if (Schema != 0)
        {
            parts.Add($"schema:{Schema}");
        }

        Add(parts, "count", Count);
        Add(parts, "sum", Sum);
        Add(parts, "z_bucket", ZeroCount);
        Add(parts, "z_bucket_w", ZeroThreshold);
        if (UsesCustomBuckets)
        {
            parts.Add($"custom_values:{List(CustomValues)}");
        }

        if (CounterResetHint != CounterResetHint.Unknown)
        {
            parts.Add("counter_reset_hint:" + CounterResetHint switch
            {
                CounterResetHint.Reset => "reset",
                CounterResetHint.NotReset => "not_reset",
                _ => "gauge",
            });
        }

        Add(parts, "offset", "buckets", compact.PositiveSpans, compact.PositiveBuckets);
        Add(parts, "n_offset", "n_buckets", compact.NegativeSpans, compact.NegativeBuckets);
        return $"{{{{{string.Join(' ', parts)}}}}}";
    }

    private static void Append(StringBuilder text, in HistogramBucket bucket)
    {
        if (bucket.Count == 0)
        {
            return;
        }

        text.Append(", ").Append(bucket.LowerInclusive ? '[' : '(').Append(ShortestNumber.Of(bucket.Lower)).Append(',')
            .Append(ShortestNumber.Of(bucket.Upper)).Append(bucket.UpperInclusive ? ']' : ')').Append(':').Append(ShortestNumber.Of(bucket.Count));
    }

    private static void Add(List<string> parts, string name, double value)
    {
        if (value != 0)
        {
            parts.Add($"{name}:{ShortestNumber.Of(value)}");
        }
    }

    private static void Add(List<string> parts, string offsetName, string name, HistogramSpan[] spans, double[] buckets)
    {
        var from = 0;
        foreach (var span in spans)
        {
            if (span.Offset != 0)
            {
                parts.Add($"{offsetName}:{span.Offset}");
            }

            var length = (int)Math.Min(span.Length, (uint)(buckets.Length - from));
            parts.Add($"{name}:{List(buckets.AsSpan(from, length))}");
            from += length;
        }
    }

    private static string List(ReadOnlySpan<double> values)
    {
        var text = new StringBuilder("[");
        foreach (var value in values)
        {
            text.Append(text.Length > 1 ? " " : "").Append(ShortestNumber.Of(value));
        }

        return text.Append(']').ToString();
    }
}
