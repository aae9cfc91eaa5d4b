namespace Metrics.PromQL;

/// <summary>The instants a query is evaluated at: start, start + step, ... up to end, inclusive; Unix milliseconds.</summary>
/// <param name="StartMs">The first instant.</param>
/// <param name="EndMs">The last instant is the largest start + n * step that does not exceed it.</param>
/// <param name="StepMs">Distance; positive unless start equals end.</param>
public readonly record struct TimeGrid(long StartMs, long EndMs, long StepMs)
{
    /// <summary>A grid of one instant.</summary>
    public static TimeGrid Instant(long timeMs) => new(timeMs, timeMs, 0);

    /// <summary>The number of instants.</summary>
    public int Count => StepMs <= 0 ? 1 : (int)(((EndMs - StartMs) / StepMs) + 1);

    /// <summary>The n-th instant.</summary>
    public long At(int step) => StartMs + (step * StepMs);
}
