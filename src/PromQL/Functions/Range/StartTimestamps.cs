namespace Metrics.PromQL.Functions;

/// <summary>What start timestamps tell of a sample and the one before. 0 is unknown; one at or after its sample counts as unknown.</summary>
internal static class StartTimestamps
{
    /// <summary>True when counting restarted between the two samples.</summary>
    public static bool IsReset(long previousStart, long previousTime, long start, long time)
    {
        if (start == 0 || start >= time || start < previousTime)
        {
            return false;
        }

        // Starting exactly at the sample before is a delta (a reset) if that sample's own start is known, else a cumulative of unknown start.
        return start > previousTime || (previousStart <= previousTime && previousStart != 0 && previousStart != previousTime);
    }

    /// <summary>True when the sample claims to have started before the one before was taken, and not where that one did.</summary>
    public static bool Overlaps(long previousStart, long previousTime, long start) => start != 0 && start < previousTime && start != previousStart;

    /// <summary>The reset between samples i - 1 and i of columns whose start times may be absent.</summary>
    public static bool IsResetAt(ReadOnlySpan<long> starts, ReadOnlySpan<long> times, int i) =>
        !starts.IsEmpty && IsReset(starts[i - 1], times[i - 1], starts[i], times[i]);

    /// <summary>The overlap between samples i - 1 and i of columns whose start times may be absent.</summary>
    public static bool OverlapsAt(ReadOnlySpan<long> starts, ReadOnlySpan<long> times, int i) =>
        !starts.IsEmpty && Overlaps(starts[i - 1], times[i - 1], starts[i]);
}
