using System.Diagnostics.CodeAnalysis;

namespace Metrics.Model;

/// <summary>What makes a histogram acceptable.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>True when spans, buckets, counts and bounds agree and nothing is negative; else the text that Prometheus gives.</summary>
    /// <remarks>That the count is at least the sum of the buckets is not checked: float rounding breaks it.</remarks>
    public bool TryValidate([NotNullWhen(false)] out string? error)
    {
        error = UsesCustomBuckets ? CustomFault()
            : HistogramBounds.IsExponential(Schema) ? ExponentialFault()
            : $"histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema {Schema}";
        error ??= Count < 0 ? $"observation count is  {ShortestNumber.Of(Count)}: histogram's observation count is negative" : null;
        error ??= Prefixed("positive side", BucketFault(PositiveBuckets));
        return error is null;
    }

    private string? CustomFault() =>
        Prefixed("custom buckets", BoundFault() ?? CustomSpanFault())
        ?? (ZeroCount != 0 ? "custom buckets: must have zero count of 0"
            : ZeroThreshold != 0 ? "custom buckets: must have zero threshold of 0"
            : NegativeSpans.Length > 0 ? "custom buckets: must not have negative spans"
            : NegativeBuckets.Length > 0 ? "custom buckets: must not have negative buckets"
            : null);

    private string? ExponentialFault() =>
        Prefixed("positive side", SpanFault(PositiveSpans, PositiveBuckets.Length, firstMayBeNegative: true))
        ?? Prefixed("negative side", SpanFault(NegativeSpans, NegativeBuckets.Length, firstMayBeNegative: true) ?? BucketFault(NegativeBuckets))
        ?? (ZeroCount < 0 ? $"zero bucket has observation count of {ShortestNumber.Of(ZeroCount)}: histogram has a bucket whose observation count is negative"
            : CustomValues.Length > 0 ? "histogram with exponential schema must not have custom bounds"
            : null);

    private static string? Prefixed(string prefix, string? fault) => fault is null ? null : $"{prefix}: {fault}";

    private string? BoundFault()
    {
        for (var i = 0; i < CustomValues.Length; i++)
        {
            if (double.IsNaN(CustomValues[i]))
            {
                return "histogram custom bounds must not be NaN";
            }

            if (i > 0 && CustomValues[i] <= CustomValues[i - 1])
            {
                return FormattableString.Invariant(
                    $"previous bound is {CustomValues[i - 1]:F6} and current is {CustomValues[i]:F6}: histogram custom bounds must be in strictly increasing order");
            }
        }

        return CustomValues.Length > 0 && double.IsPositiveInfinity(CustomValues[^1])
            ? "last +Inf bound must not be explicitly defined: histogram custom bounds must be finite"
            : null;
    }

    private string? CustomSpanFault()
    {
        if (SpanFault(PositiveSpans, PositiveBuckets.Length, firstMayBeNegative: false) is { } fault)
        {
            return fault;
        }

        var length = 0L;
        foreach (var span in PositiveSpans)
        {
            length += span.Offset + (long)span.Length;
        }

        return CustomValues.Length + 1 < length
            ? $"only {CustomValues.Length} custom bounds defined which is insufficient to cover total span length of {length}: histogram custom bounds are too few"
            : null;
    }

    private static string? SpanFault(HistogramSpan[] spans, int buckets, bool firstMayBeNegative)
    {
        var needed = 0L;
        for (var i = 0; i < spans.Length; i++)
        {
            if (spans[i].Offset < 0 && !(i == 0 && firstMayBeNegative))
            {
                return $"span number {i + 1} with offset {spans[i].Offset}: histogram has a span whose offset is negative";
            }

            needed += spans[i].Length;
        }

        return needed == buckets ? null
            : $"spans need {needed} buckets, have {buckets} buckets: histogram spans specify different number of buckets than provided";
    }

    private static string? BucketFault(double[] buckets)
    {
        for (var i = 0; i < buckets.Length; i++)
        {
            if (buckets[i] < 0)
            {
                return $"bucket number {i + 1} has observation count of {ShortestNumber.Of(buckets[i])}: histogram has a bucket whose observation count is negative";
            }
        }

        return null;
    }
}
