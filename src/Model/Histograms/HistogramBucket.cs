namespace Metrics.Model;

/// <summary>One bucket of a histogram with its bounds, as the algorithms over distributions see it.</summary>
/// <param name="Lower">The lower bound; may be -Inf in custom buckets.</param>
/// <param name="Upper">The upper bound; may be +Inf.</param>
/// <param name="LowerInclusive">Whether an observation equal to <paramref name="Lower"/> counts here.</param>
/// <param name="UpperInclusive">Whether an observation equal to <paramref name="Upper"/> counts here.</param>
/// <param name="Count">Observations in this bucket alone.</param>
/// <param name="Index">The index within schema and sign; 0 and without meaning for the zero bucket.</param>
public readonly record struct HistogramBucket(double Lower, double Upper, bool LowerInclusive, bool UpperInclusive, double Count, int Index)
{
    /// <summary>The share (0 to 1) of the bucket's width that lies at or below a value strictly inside finite bounds.</summary>
    /// <param name="value">Lower &lt; value &lt; Upper.</param>
    /// <param name="linear">Linear interpolation (custom and zero buckets), else on a logarithmic scale (exponential buckets).</param>
    public double FractionBelow(double value, bool linear)
    {
        if (linear)
        {
            return (value - Lower) / (Upper - Lower);
        }

        var logLower = Math.Log2(Math.Abs(Lower));
        var logUpper = Math.Log2(Math.Abs(Upper));
        var logValue = Math.Log2(Math.Abs(value));
        return value > 0
            ? (logValue - logLower) / (logUpper - logLower)
            : 1 - ((logValue - logUpper) / (logLower - logUpper));
    }
}
