using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Which of the blocks that hold the same samples at different resolutions a selection reads, and for which times.</summary>
/// <remarks>
/// The coarsest resolution that the query allows and its windows bear comes first, then finer ones, then, where nothing else is left, coarser ones. Each series' instant is read from one
/// resolution only: a block is read outside the times of the blocks of better ranks that may hold its series.
/// </remarks>
internal static class ResolutionChoice
{
    /// <summary>The blocks and the part of the range to read of each, by time.</summary>
    public static IEnumerable<(LiveBlock Block, TimeRange Part)> Of(IReadOnlyList<LiveBlock> blocks, TimeRange range, SelectionHints hints)
    {
        // Fast path: most shards have raw blocks only.
        if (blocks.All(b => b.Described.ResolutionMs == 0))
        {
            return blocks.Select(b => (b, range));
        }

        var coarsest = AggregateReading.CoarsestMs(hints.Function, hints.RangeMs > 0 ? hints.RangeMs : hints.LookbackMs, hints.MaxResolutionMs);
        return Ranked(blocks, range, coarsest).OrderBy(c => c.Part.MinMs);
    }

    private static IEnumerable<(LiveBlock Block, TimeRange Part)> Ranked(IReadOnlyList<LiveBlock> blocks, TimeRange range, long coarsest)
    {
        var better = new List<PlannedBlock>();
        var ranks = blocks.GroupBy(b => b.Described.ResolutionMs)
            .OrderBy(g => g.Key <= coarsest ? 0 : 1)
            .ThenBy(g => g.Key <= coarsest ? -g.Key : g.Key)
            .ToList();
        foreach (var rank in ranks)
        {
            var planned = rank.Select(b => (Live: b, Plan: new PlannedBlock(b.Described.Meta, 0))).ToList();
            foreach (var (live, plan) in planned)
            {
                var covered = better.Where(plan.SharesSeries).Select(b => new TimeRange(b.Meta.MinTime, b.Meta.MaxTime - 1)).OrderBy(r => r.MinMs);
                foreach (var part in Without(new TimeRange(Math.Max(range.MinMs, live.Range.MinMs), Math.Min(range.MaxMs, live.Range.MaxMs)), covered))
                {
                    yield return (live, part);
                }
            }

            better.AddRange(planned.Select(p => p.Plan));
        }
    }

    private static IEnumerable<TimeRange> Without(TimeRange range, IEnumerable<TimeRange> covered)
    {
        var from = range.MinMs;
        foreach (var gone in covered.TakeWhile(c => c.MinMs <= range.MaxMs))
        {
            if (gone.MinMs > from)
            {
                yield return new TimeRange(from, gone.MinMs - 1);
            }

            from = Math.Max(from, gone.MaxMs + 1);
        }

        if (from <= range.MaxMs)
        {
            yield return new TimeRange(from, range.MaxMs);
        }
    }
}
