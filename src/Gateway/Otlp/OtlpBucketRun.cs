using Metrics.Model;

namespace Metrics.Gateway.Otlp;

/// <summary>Buckets in ascending order of index on their way from OTLP's dense form to spans. Reusable; not thread-safe.</summary>
internal sealed class OtlpBucketRun
{
    /// <summary>Gaps of up to so many empty buckets are written as buckets: a span costs more. Prometheus's clients have it so.</summary>
    private const int MaxGap = 2;

    private readonly List<HistogramSpan> spans = [];
    private readonly List<double> counts = [];
    private int last;

    /// <summary>All counts, modulo 2^64.</summary>
    public ulong Total { get; private set; }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        spans.Clear();
        counts.Clear();
        Total = 0;
        last = -1;
    }

    /// <summary>Adds a count at an index not below the last one.</summary>
    public void Add(int index, ulong count)
    {
        if (count == 0)
        {
            return;
        }

        Total = unchecked(Total + count);
        if (counts.Count > 0 && index == last)
        {
            counts[^1] += count;
            return;
        }

        var gap = index - last - 1;
        if (counts.Count > 0 && gap <= MaxGap)
        {
            for (var i = 0; i < gap; i++)
            {
                counts.Add(0);
            }

            spans[^1] = spans[^1] with { Length = spans[^1].Length + (uint)gap + 1 };
        }
        else
        {
            spans.Add(new HistogramSpan(counts.Count == 0 ? index : gap, 1));
        }

        counts.Add(count);
        last = index;
    }

    /// <summary>The spans and their absolute counts, copied.</summary>
    public (HistogramSpan[] Spans, double[] Counts) ToArrays() => ([.. spans], [.. counts]);
}
