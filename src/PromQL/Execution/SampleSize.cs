using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>How many float samples a histogram counts for in budgets and statistics.</summary>
internal static class SampleSize
{
    /// <summary>Its size in memory in units of a float sample of 16 bytes, as prometheus/prometheus promql/value.go has it.</summary>
    public static int Of(FloatHistogram histogram) =>
        (8 + 168 + (8 * (histogram.PositiveSpans.Length + histogram.NegativeSpans.Length))
         + (8 * (histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length + histogram.CustomValues.Length))) / 16;
}
