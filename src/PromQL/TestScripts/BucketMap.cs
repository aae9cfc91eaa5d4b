using Metrics.Model;

namespace Metrics.PromQL.TestScripts;

/// <summary>The buckets of a histogram by index: slow and plain, so that scripts are not judged by the code they test.</summary>
internal static class BucketMap
{
    /// <summary>The counts that are not zero, by bucket index.</summary>
    public static SortedDictionary<int, double> Of(HistogramSpan[] spans, double[] buckets)
    {
        var map = new SortedDictionary<int, double>();
        var index = 0;
        var next = 0;
        foreach (var span in spans)
        {
            index += span.Offset;
            for (var i = 0; i < span.Length; i++, index++)
            {
                if (buckets[next++] is var count && count != 0)
                {
                    map[index] = count;
                }
            }
        }

        return map;
    }

    /// <summary>a + sign x b, where b may be finer than a.</summary>
    /// <exception cref="ScriptException">b is coarser than a, or their custom bounds differ.</exception>
    public static FloatHistogram Combine(FloatHistogram a, FloatHistogram b, int sign, int line)
    {
        if (a.Schema > b.Schema || !a.CustomValues.AsSpan().SequenceEqual(b.CustomValues) || a.ZeroThreshold != b.ZeroThreshold)
        {
            throw new ScriptException(line, $"error combining histograms: cannot merge from schema {b.Schema} to {a.Schema}");
        }

        var result = new FloatHistogram
        {
            Schema = a.Schema,
            CustomValues = a.CustomValues,
            ZeroThreshold = a.ZeroThreshold,
            ZeroCount = a.ZeroCount + (sign * b.ZeroCount),
            Count = a.Count + (sign * b.Count),
            Sum = a.Sum + (sign * b.Sum),
            CounterResetHint = HintOf(a.CounterResetHint, b.CounterResetHint),
        };
        var coarser = b.Schema - a.Schema;
        (result.PositiveSpans, result.PositiveBuckets) =
            ToSpans(Sum(Of(a.PositiveSpans, a.PositiveBuckets), Of(b.PositiveSpans, b.PositiveBuckets), sign, coarser));
        (result.NegativeSpans, result.NegativeBuckets) =
            ToSpans(Sum(Of(a.NegativeSpans, a.NegativeBuckets), Of(b.NegativeSpans, b.NegativeBuckets), sign, coarser));
        return result;
    }

    /// <summary>Runs of neighbouring buckets as spans.</summary>
    public static (HistogramSpan[] Spans, double[] Buckets) ToSpans(SortedDictionary<int, double> map)
    {
        var spans = new List<HistogramSpan>();
        var end = 0;
        foreach (var index in map.Keys)
        {
            if (spans.Count > 0 && index == end)
            {
                spans[^1] = spans[^1] with { Length = spans[^1].Length + 1 };
            }
            else
            {
                spans.Add(new HistogramSpan(index - end, 1));
            }

            end = index + 1;
        }

        return ([.. spans], [.. map.Values]);
    }

    /// <summary>True when a counter histogram can't be a continuation of the one before.</summary>
    public static bool BreaksChunk(FloatHistogram before, FloatHistogram now)
    {
        if (now.CounterResetHint == CounterResetHint.Reset || (before.CounterResetHint == CounterResetHint.Gauge) != (now.CounterResetHint == CounterResetHint.Gauge)
            || before.Schema != now.Schema || before.ZeroThreshold != now.ZeroThreshold || !before.CustomValues.AsSpan().SequenceEqual(now.CustomValues))
        {
            return true;
        }

        return now.CounterResetHint != CounterResetHint.Gauge
            && (now.Count < before.Count || now.ZeroCount < before.ZeroCount
                || Falls(Of(before.PositiveSpans, before.PositiveBuckets), Of(now.PositiveSpans, now.PositiveBuckets))
                || Falls(Of(before.NegativeSpans, before.NegativeBuckets), Of(now.NegativeSpans, now.NegativeBuckets)));
    }

    private static bool Falls(SortedDictionary<int, double> before, SortedDictionary<int, double> now)
    {
        foreach (var (index, count) in before)
        {
            if (now.GetValueOrDefault(index) < count)
            {
                return true;
            }
        }

        return false;
    }

    private static SortedDictionary<int, double> Sum(SortedDictionary<int, double> a, SortedDictionary<int, double> b, int sign, int coarser)
    {
        foreach (var (index, count) in b)
        {
            // Bucket i of schema s is part of bucket ceil(i / 2) of schema s - 1.
            var into = coarser == 0 ? index : ((index - 1) >> coarser) + 1;
            a[into] = a.GetValueOrDefault(into) + (sign * count);
        }

        return a;
    }

    private static CounterResetHint HintOf(CounterResetHint a, CounterResetHint b)
    {
        if (a == b)
        {
            return a;
        }

        return a == CounterResetHint.Gauge || b == CounterResetHint.Gauge ? CounterResetHint.Gauge : CounterResetHint.Unknown;
    }
}
