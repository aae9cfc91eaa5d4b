using Metrics.Model;

namespace Metrics.Wire;

/// <summary>A native histogram with its time, in the form it was sent: integer deltas or absolute float counts.</summary>
/// <remarks>Nothing about it is checked but its encoding; see <see cref="FindDefect"/>. The arrays are its own.</remarks>
public sealed class HistogramSample
{
    /// <summary>Unix milliseconds.</summary>
    public long TimestampMs { get; set; }

    /// <summary>Since when it counts, Unix milliseconds; 0 when unset.</summary>
    public long StartTimestampMs { get; set; }

    /// <summary>True when counts are floats; then the <c>...Counts</c> hold the buckets, otherwise the <c>...Deltas</c>.</summary>
    public bool IsFloat { get; set; }

    /// <summary>All observations, when integer.</summary>
    public ulong CountInteger { get; set; }

    /// <summary>All observations, when float.</summary>
    public double CountFloat { get; set; }

    /// <summary>The sum of observations; the stale marker here marks the series stale.</summary>
    public double Sum { get; set; }

    /// <summary>Resolution; see <see cref="FloatHistogram.Schema"/>.</summary>
    public int Schema { get; set; }

    /// <summary>Width of the zero bucket.</summary>
    public double ZeroThreshold { get; set; }

    /// <summary>Observations in the zero bucket, when integer.</summary>
    public ulong ZeroCountInteger { get; set; }

    /// <summary>Observations in the zero bucket, when float.</summary>
    public double ZeroCountFloat { get; set; }

    /// <summary>What the sender knows about a reset.</summary>
    public CounterResetHint CounterResetHint { get; set; }

    /// <summary>Where the negative buckets lie.</summary>
    public HistogramSpan[] NegativeSpans { get; set; } = [];

    /// <summary>Negative buckets, each as the difference from the one before it, when integer.</summary>
    public long[] NegativeDeltas { get; set; } = [];

    /// <summary>Negative buckets, absolute, when float.</summary>
    public double[] NegativeCounts { get; set; } = [];

    /// <summary>Where the positive buckets lie.</summary>
    public HistogramSpan[] PositiveSpans { get; set; } = [];

    /// <summary>Positive buckets, each as the difference from the one before it, when integer.</summary>
    public long[] PositiveDeltas { get; set; } = [];

    /// <summary>Positive buckets, absolute, when float.</summary>
    public double[] PositiveCounts { get; set; } = [];

    /// <summary>Upper bounds when <see cref="Schema"/> is <see cref="FloatHistogram.CustomBucketsSchema"/>.</summary>
    public double[] CustomValues { get; set; } = [];

    /// <summary>The histogram in the form it is computed with. The result shares spans and float buckets with this object.</summary>
    public FloatHistogram ToFloatHistogram() => new()
    {
        CounterResetHint = CounterResetHint,
        Schema = Schema,
        ZeroThreshold = ZeroThreshold,
        ZeroCount = IsFloat ? ZeroCountFloat : ZeroCountInteger,
        Count = IsFloat ? CountFloat : CountInteger,
        Sum = Sum,
        PositiveSpans = PositiveSpans,
        NegativeSpans = NegativeSpans,
        PositiveBuckets = IsFloat ? PositiveCounts : Accumulate(PositiveDeltas),
        NegativeBuckets = IsFloat ? NegativeCounts : Accumulate(NegativeDeltas),
        CustomValues = CustomValues,
    };

    /// <summary>
    /// Says why a store must refuse this histogram, or null when it is sound. The rules are those of Prometheus's <c>Validate</c>: a known schema, spans that
    /// cover exactly the buckets sent and do not run backwards, no negative count, no more in the buckets than counted, custom bounds ascending.
    /// </summary>
    public string? FindDefect()
    {
        if (Schema is not (FloatHistogram.CustomBucketsSchema or (>= -4 and <= 8)))
        {
            return $"schema {Schema} is neither -4 to 8 nor {FloatHistogram.CustomBucketsSchema}";
        }

        return FindBoundsDefect()
            ?? FindSideDefect("positive", PositiveSpans, PositiveDeltas, PositiveCounts, out var positive)
            ?? FindSideDefect("negative", NegativeSpans, NegativeDeltas, NegativeCounts, out var negative)
            ?? FindCountDefect(positive + negative);
    }

    private string? FindBoundsDefect()
    {
        if (Schema != FloatHistogram.CustomBucketsSchema)
        {
            return CustomValues.Length == 0 ? null : "custom bounds with a schema that has none";
        }

        for (var i = 0; i < CustomValues.Length; i++)
        {
            if (!double.IsFinite(CustomValues[i]) || (i > 0 && !(CustomValues[i] > CustomValues[i - 1])))
            {
                return $"custom bound {i} is not finite or not greater than the one before it";
            }
        }

        if (NegativeSpans.Length > 0 || NegativeDeltas.Length > 0 || NegativeCounts.Length > 0)
        {
            return "negative buckets with custom bounds";
        }

        if (ZeroThreshold != 0 || ZeroCountInteger != 0 || ZeroCountFloat != 0)
        {
            return "a zero bucket with custom bounds";
        }

        long last = -1;
        foreach (var span in PositiveSpans)
        {
            last += (long)span.Offset + span.Length;
        }

        return last > CustomValues.Length ? $"bucket {last} with {CustomValues.Length} custom bounds" : null;
    }

    private string? FindSideDefect(string side, HistogramSpan[] spans, long[] deltas, double[] counts, out double total)
    {
        total = 0;
        ulong spanned = 0;
        for (var i = 0; i < spans.Length; i++)
        {
            if (i > 0 && spans[i].Offset < 0)
            {
                return $"{side} span {i} has offset {spans[i].Offset}";
            }

            spanned += spans[i].Length;
        }

        var buckets = IsFloat ? counts.Length : deltas.Length;
        if (spanned != (ulong)buckets || (IsFloat ? deltas.Length : counts.Length) > 0)
        {
            return $"{side} spans cover {spanned} buckets, {buckets} were sent";
        }

        long running = 0;
        for (var i = 0; i < buckets; i++)
        {
            running = IsFloat ? 0 : unchecked(running + deltas[i]);
            var count = IsFloat ? counts[i] : running;
            if (!(count >= 0))
            {
                return $"{side} bucket {i} has count {count}";
            }

            total += count;
        }

        return null;
    }

    private string? FindCountDefect(double inBuckets)
    {
        var zero = IsFloat ? ZeroCountFloat : ZeroCountInteger;
        var count = IsFloat ? CountFloat : CountInteger;
        if (!(zero >= 0) || !(count >= 0))
        {
            return $"count {count} with zero count {zero}";
        }

        inBuckets += zero;
        if (IsFloat)
        {
            // Float counts come out of arithmetic and need not add up.
            return null;
        }

        // NaN observations are counted but fall in no bucket, and make the sum NaN.
        var addsUp = double.IsNaN(Sum) ? inBuckets <= count : inBuckets == count;
        return addsUp ? null : $"{inBuckets} observations in buckets, {count} counted";
    }

    private static double[] Accumulate(long[] deltas)
    {
        var counts = new double[deltas.Length];
        long running = 0;
        for (var i = 0; i < deltas.Length; i++)
        {
            running = unchecked(running + deltas[i]);
            counts[i] = running;
        }

        return counts;
    }
}
