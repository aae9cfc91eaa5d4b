namespace Metrics.Model;

/// <summary>A run of consecutive buckets: <paramref name="Offset"/> to the end of the run before (or to index 0 for the first), then its length.</summary>
public readonly record struct HistogramSpan(int Offset, uint Length);

/// <summary>What is known about whether a histogram restarted counting since the one before it.</summary>
public enum CounterResetHint : byte
{
    /// <summary>Nothing is known; detect by comparison.</summary>
    Unknown = 0,

    /// <summary>A reset happened before this histogram.</summary>
    Reset = 1,

    /// <summary>No reset happened.</summary>
    NotReset = 2,

    /// <summary>A gauge histogram: resets have no meaning.</summary>
    Gauge = 3,
}

/// <summary>A native histogram with float counts; the form in which all histograms are computed with.</summary>
public sealed partial class FloatHistogram
{
    /// <summary>The schema of histograms with custom bucket bounds.</summary>
    public const int CustomBucketsSchema = -53;

    /// <summary>What is known about a reset before this histogram.</summary>
    public CounterResetHint CounterResetHint { get; set; }

    /// <summary>Resolution: bucket growth is 2^(2^-schema), -4 to 8 (to 52 when read); <see cref="CustomBucketsSchema"/> for custom bounds.</summary>
    public int Schema { get; set; }

    /// <summary>Width of the zero bucket: observations x with |x| &lt;= this count there.</summary>
    public double ZeroThreshold { get; set; }

    /// <summary>Observations in the zero bucket.</summary>
    public double ZeroCount { get; set; }

    /// <summary>All observations.</summary>
    public double Count { get; set; }

    /// <summary>The sum of all observations; the stale marker here makes the whole sample one.</summary>
    public double Sum { get; set; }

    /// <summary>Where the positive buckets lie.</summary>
    public HistogramSpan[] PositiveSpans { get; set; } = [];

    /// <summary>Where the negative buckets lie.</summary>
    public HistogramSpan[] NegativeSpans { get; set; } = [];

    /// <summary>Absolute counts of the positive buckets, as many as the spans say.</summary>
    public double[] PositiveBuckets { get; set; } = [];

    /// <summary>Absolute counts of the negative buckets, as many as the spans say.</summary>
    public double[] NegativeBuckets { get; set; } = [];

    /// <summary>Upper bounds, ascending, without +Inf, when <see cref="Schema"/> is <see cref="CustomBucketsSchema"/>; else empty.</summary>
    public double[] CustomValues { get; set; } = [];

    /// <summary>True when the bounds are custom.</summary>
    public bool UsesCustomBuckets => Schema == CustomBucketsSchema;
}
