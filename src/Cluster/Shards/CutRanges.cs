using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Which blocks a cut of a head becomes: one for each block range that has samples.</summary>
internal static class CutRanges
{
    /// <summary>The ranges, ascending.</summary>
    /// <param name="firstMs">The first instant that in-order samples may have; they reach from there into one block range.</param>
    /// <param name="endMs">The exclusive end of the cut.</param>
    /// <param name="late">The times that late samples lie at.</param>
    /// <param name="rangeMs">The block range.</param>
    public static List<TimeRange> Of(long firstMs, long endMs, IReadOnlyList<TimeRange> late, long rangeMs)
    {
        var starts = new SortedSet<long>();
        if (firstMs < endMs)
        {
            starts.Add(AlignedStart(firstMs, rangeMs));
        }

        foreach (var span in late)
        {
            for (var start = AlignedStart(span.MinMs, rangeMs); start <= span.MaxMs; start += rangeMs)
            {
                starts.Add(start);
            }
        }

        return [.. starts.Select(start => new TimeRange(start, Math.Min(start + rangeMs, endMs) - 1))];
    }

    /// <summary>The multiple of a block range at or before an instant.</summary>
    public static long AlignedStart(long timeMs, long rangeMs) => timeMs - (((timeMs % rangeMs) + rangeMs) % rangeMs);
}
