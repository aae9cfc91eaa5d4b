using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Histograms without their buckets, where a query wants but count and sum.</summary>
/// <remarks>
/// What buckets tell of counter resets is worked out while they are still there, and noted as the hint; so, as in Prometheus (promql/histogram_stats_iterator.go), such queries can
/// remark on conflicting resets where those that need the buckets do not.
/// </remarks>
internal static class HistogramStatistics
{
    /// <summary>Reduces all histograms of one series.</summary>
    public static void Reduce(SampleBuffer samples)
    {
        FloatHistogram? before = null;
        for (var i = 0; i < samples.Count; i++)
        {
            if (samples.Histograms[i] is not { } histogram)
            {
                continue;
            }

            var hint = histogram.CounterResetHint;
            if (hint == CounterResetHint.Unknown && before is not null && !histogram.IsStale)
            {
                hint = histogram.DetectReset(before) ? CounterResetHint.Reset : CounterResetHint.NotReset;
            }

            samples.Replace(i, new FloatHistogram { CounterResetHint = hint, Schema = histogram.Schema, Count = histogram.Count, Sum = histogram.Sum });
            if (!histogram.IsStale)
            {
                before = histogram.WithHint(hint);
            }
        }
    }
}
