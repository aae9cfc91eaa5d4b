namespace Metrics.Model;

/// <summary>A span of time in Unix milliseconds, both ends inclusive.</summary>
public readonly record struct TimeRange(long MinMs, long MaxMs)
{
    /// <summary>All of time.</summary>
    public static TimeRange All => new(long.MinValue, long.MaxValue);

    /// <summary>True when no instant lies in the range.</summary>
    public bool IsEmpty => MinMs > MaxMs;

    /// <summary>True when the instant lies in the range.</summary>
    public bool Contains(long timeMs) => timeMs >= MinMs && timeMs <= MaxMs;

    /// <summary>True when the ranges share an instant.</summary>
    public bool Overlaps(TimeRange other) => MinMs <= other.MaxMs && other.MinMs <= MaxMs;

    /// <summary>True when all of another range lies in it.</summary>
    public bool Covers(TimeRange other) => MinMs <= other.MinMs && other.MaxMs <= MaxMs;
}
