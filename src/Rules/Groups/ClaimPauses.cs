namespace Metrics.Rules.Groups;

/// <summary>How often an owner looks whether another one has let go of a group.</summary>
/// <remarks>Owners change at the same time for many groups, and those that let go have done so within seconds: looks come close together first, and then ever more rarely.</remarks>
internal sealed class ClaimPauses(long intervalMs)
{
    private const long FirstMs = 250;
    private const long LongestMs = 10_000;

    private long pauseMs = Math.Clamp(intervalMs / 8, 1, FirstMs);

    /// <summary>The time until the next look: twice the last, up to a sixth of the interval.</summary>
    public TimeSpan Next()
    {
        var pause = TimeSpan.FromMilliseconds(pauseMs);
        pauseMs = Math.Max(1, Math.Min(2 * pauseMs, Math.Min(LongestMs, intervalMs / 6)));
        return pause;
    }
}
