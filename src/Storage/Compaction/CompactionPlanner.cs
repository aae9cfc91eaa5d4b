using Metrics.Model;

namespace Metrics.Storage;

/// <summary>A live block as the planner sees it.</summary>
/// <param name="Meta">Its description.</param>
/// <param name="Bytes">Its size.</param>
public sealed record PlannedBlock(BlockMeta Meta, long Bytes)
{
    /// <summary>Milliseconds a sample; 0 for raw ones.</summary>
    public long ResolutionMs => Meta.Thanos?.Downsample.Resolution ?? 0;

    /// <summary>The hashes whose series it may hold.</summary>
    public HashRange HashRange => Meta.Metrics?.HashRange is { } text ? HashRange.Parse(text) : HashRange.Everything;

    /// <summary>True when both may hold samples of one series at one instant.</summary>
    public bool Overlaps(PlannedBlock other) => Meta.MinTime < other.Meta.MaxTime && other.Meta.MinTime < Meta.MaxTime && SharesSeries(other);

    /// <summary>True when both may hold one series.</summary>
    public bool SharesSeries(PlannedBlock other)
    {
        var (wide, narrow) = HashRange.Bits <= other.HashRange.Bits ? (HashRange, other.HashRange) : (other.HashRange, HashRange);
        return wide.Contains(narrow.First);
    }
}

/// <summary>When blocks are merged.</summary>
public sealed record CompactionOptions
{
    /// <summary>The time that blocks cover after each step, ascending: 12 h, 1 d, 7 d. Each a multiple of the one before, and the first of the head's block range.</summary>
    public IReadOnlyList<TimeSpan> Ranges { get; init; } = [TimeSpan.FromHours(12), TimeSpan.FromDays(1), TimeSpan.FromDays(7)];

    /// <summary>The most bytes that one job reads; groups beyond it stay as they are. 256 GiB by default.</summary>
    public long MaxJobBytes { get; init; } = 256L * 1024 * 1024 * 1024;

    /// <summary>A block of late samples is merged into a much larger one only when it is so old; until then reading merges them. 6 h by default, so that a day of late samples rewrites a week's
    /// block four times and not a hundred.</summary>
    public TimeSpan LateAge { get; init; } = TimeSpan.FromHours(6);

    /// <summary>Blocks at most so many times smaller than the larger ones that they overlap are merged at once. 8 by default.</summary>
    public int LateShare { get; init; } = 8;
}

/// <summary>Says which blocks are to be merged next. Pure; never halts on odd input: what fits nowhere is left alone.</summary>
/// <remarks>
/// Overlaps first, since they cost every query. Then, from the narrowest range up, the blocks inside one aligned window of the range, when the window is over: a block that begins at or after its
/// end is there. Blocks of disjoint hash ranges never need each other, which is what ends the planning after a merge that was cut in parts.
/// </remarks>
public static class CompactionPlanner
{
    /// <summary>The blocks of the next job, by first instant; empty when there is nothing to do.</summary>
    public static IReadOnlyList<PlannedBlock> Next(IReadOnlyList<PlannedBlock> blocks, CompactionOptions options, DateTimeOffset now)
    {
        foreach (var group in blocks.GroupBy(b => b.ResolutionMs))
        {
            var sorted = group.OrderBy(b => b.Meta.MinTime).ThenBy(b => b.Meta.Ulid).ToList();

            // Aggregates of overlapping blocks can't be merged: which samples both counted is not known any more.
            if (group.Key == 0 && Overlap(sorted, options, now) is { Count: > 0 } overlap)
            {
                return overlap;
            }

            foreach (var range in options.Ranges)
            {
                if (Window(sorted, (long)range.TotalMilliseconds, options) is { Count: > 0 } window)
                {
                    return window;
                }
            }
        }

        return [];
    }

    private static List<PlannedBlock> Overlap(List<PlannedBlock> sorted, CompactionOptions options, DateTimeOffset now)
    {
        for (var i = 0; i < sorted.Count; i++)
        {
            var cluster = new List<PlannedBlock> { sorted[i] };
            for (var j = i + 1; j < sorted.Count && cluster.Max(b => b.Meta.MaxTime) > sorted[j].Meta.MinTime; j++)
            {
                if (cluster.Exists(sorted[j].Overlaps))
                {
                    cluster.Add(sorted[j]);
                }
            }

            if (cluster.Count > 1 && Fits(cluster, options) && IsWorthIt(cluster, options, now))
            {
                return cluster;
            }
        }

        return [];
    }

    private static bool IsWorthIt(List<PlannedBlock> cluster, CompactionOptions options, DateTimeOffset now)
    {
        var largest = cluster.MaxBy(b => b.Bytes)!;
        var others = cluster.Where(b => b != largest).ToList();
        return others.Sum(b => b.Bytes) * options.LateShare >= largest.Bytes || others.Min(b => b.Meta.Ulid.Time) <= now - options.LateAge;
    }

    private static List<PlannedBlock> Window(List<PlannedBlock> sorted, long rangeMs, CompactionOptions options)
    {
        var newest = sorted.Max(b => b.Meta.MinTime);
        foreach (var window in sorted.Where(b => b.Meta.MaxTime - b.Meta.MinTime < rangeMs).GroupBy(b => Floor(b.Meta.MinTime, rangeMs)))
        {
            var inside = window.Where(b => b.Meta.MaxTime <= window.Key + rangeMs).ToList();
            if (newest >= window.Key + rangeMs && inside.Exists(b => inside.Exists(o => o != b && o.SharesSeries(b))) && Fits(inside, options)
                && (sorted[0].ResolutionMs == 0 || !inside.Exists(b => inside.Exists(o => o != b && o.Overlaps(b)))))
            {
                return inside;
            }
        }

        return [];
    }

    private static bool Fits(List<PlannedBlock> job, CompactionOptions options) => job.Sum(b => b.Bytes) <= options.MaxJobBytes;

    private static long Floor(long timeMs, long rangeMs) => timeMs - (((timeMs % rangeMs) + rangeMs) % rangeMs);
}
