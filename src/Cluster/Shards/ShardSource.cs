using System.Globalization;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>A shard's blocks and head as the query engine reads them: one series set, a series once, a sample once.</summary>
internal sealed class ShardSource(Func<IShardStore> open) : ISeriesSource
{
    /// <inheritdoc/>
    public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation) =>
        ValueTask.FromResult(Select(selection.Matchers, selection.Range, selection.Hints, cancellation));

    /// <summary>The matching series that have samples in the range.</summary>
    /// <exception cref="ShardUnavailableException">The shard is replaying or closed.</exception>
    public ISeriesSet Select(IReadOnlyList<Matcher> matchers, TimeRange range, SelectionHints hints, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var sets = new List<ISeriesSet>();
        var store = open();
        try
        {
            store.Select(matchers, range, hints, sets, cancellation);
        }
        catch
        {
            sets.ForEach(s => s.Dispose());
            throw;
        }

        var found = MergedSeriesSet.Of(sets, cancellation);

        // Asked afterwards, so that a block which this selection found damaged is among them.
        return store.Damaged is { Count: > 0 } damaged && Warnings(damaged, range) is { Count: > 0 } warnings ? new WarnedSeriesSet(found, warnings) : found;
    }

    // Where the damage is, the log says; who asks need not know how files are called here.
    private static List<string> Warnings(IReadOnlyList<DamagedBlock> damaged, TimeRange range)
    {
        var warnings = new List<string>();
        foreach (var (block, _) in damaged)
        {
            var meta = block.Meta;
            if (range.Overlaps(new TimeRange(meta.MinTime, meta.MaxTime - 1)))
            {
                warnings.Add($"block {meta.Ulid}, from {Text(meta.MinTime)} to {Text(meta.MaxTime)}, is damaged, and its samples are missing");
            }
        }

        return warnings;
    }

    private static string Text(long timeMs) =>
        timeMs >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds() && timeMs <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(timeMs).ToString("yyyy-MM-ddTHH:mm:ss'Z'", CultureInfo.InvariantCulture)
            : timeMs.ToString(CultureInfo.InvariantCulture);
}
