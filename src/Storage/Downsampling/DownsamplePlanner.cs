namespace Metrics.Storage;

/// <summary>When blocks of aggregates are made.</summary>
public sealed record DownsamplingOptions
{
    /// <summary>Off when nobody asks for months.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>The resolutions, and how wide a raw block must have become, or else twice how old: five minutes from a day on, an hour from a week on. Thanos waits for 40 h and 10 d, the next widths of its own steps.</summary>
    public IReadOnlyList<(TimeSpan Resolution, TimeSpan From)> Steps { get; init; } = [(TimeSpan.FromMinutes(5), TimeSpan.FromDays(1)), (TimeSpan.FromHours(1), TimeSpan.FromDays(7))];
}

/// <summary>A raw block of which aggregates are to be made.</summary>
/// <param name="Raw">The block.</param>
/// <param name="ResolutionMs">Milliseconds a window.</param>
/// <param name="Outdated">Blocks of that resolution whose samples the new one has too.</param>
public sealed record DownsampleJob(PlannedBlock Raw, long ResolutionMs, IReadOnlyList<PlannedBlock> Outdated);

/// <summary>Says which raw block is to be downsampled next. Pure.</summary>
/// <remarks>By sources, not by times: a raw block into which late samples were merged has a source that its aggregates do not have, and gets new ones.</remarks>
public static class DownsamplePlanner
{
    /// <summary>The next job, or null.</summary>
    public static DownsampleJob? Next(IReadOnlyList<PlannedBlock> blocks, DownsamplingOptions options)
    {
        foreach (var (resolution, from) in options.Enabled ? options.Steps : [])
        {
            var resolutionMs = (long)resolution.TotalMilliseconds;
            var made = blocks.Where(b => b.ResolutionMs == resolutionMs).ToList();
            var fromMs = (long)from.TotalMilliseconds;

            // A series of blocks begins anywhere in a day, and may have gaps: what is old will not become wider, and must not expire without aggregates.
            var settledMs = blocks.Select(b => b.Meta.MaxTime).DefaultIfEmpty().Max() - (2 * fromMs);
            foreach (var raw in blocks.Where(b => b.ResolutionMs == 0 && (b.Meta.MaxTime - b.Meta.MinTime >= fromMs || b.Meta.MaxTime <= settledMs)).OrderBy(b => b.Meta.MinTime))
            {
                var sources = Sources(raw);
                var near = made.Where(raw.Overlaps).ToList();
                if (!sources.IsSubsetOf(near.SelectMany(Sources)))
                {
                    return new DownsampleJob(raw, resolutionMs, [.. near.Where(n => Sources(n).IsSubsetOf(sources))]);
                }
            }
        }

        return null;
    }

    private static HashSet<string> Sources(PlannedBlock block) => (block.Meta.Compaction.Sources ?? [block.Meta.Ulid.ToString()]).ToHashSet(StringComparer.Ordinal);
}
