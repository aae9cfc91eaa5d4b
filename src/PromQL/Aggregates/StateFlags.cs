namespace Metrics.PromQL.Aggregates;

/// <summary>What a sum or average has met.</summary>
internal static class StateFlags
{
    /// <summary>A float.</summary>
    public const byte Float = 1;

    /// <summary>A histogram.</summary>
    public const byte Histogram = 2;

    /// <summary>Histograms that cannot be added; there is no result.</summary>
    public const byte Incompatible = 4;

    /// <summary>A histogram with a counter reset before it.</summary>
    public const byte Reset = 8;

    /// <summary>A histogram without.</summary>
    public const byte NotReset = 16;

    /// <summary>Floats are averaged incrementally since their sum overflowed.</summary>
    public const byte IncrementalMean = 32;

    /// <summary>Histograms are averaged incrementally since their sum overflowed.</summary>
    public const byte IncrementalHistogram = 64;
}
