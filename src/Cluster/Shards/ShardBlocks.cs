using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The blocks of one shard: what of them a read touches, and which of them retention lets go. Thread-safe.</summary>
internal sealed class ShardBlocks(string folder, Action<string> report) : IDisposable
{
    private readonly BlockSet blocks = new(folder, report);

    /// <summary>The number of blocks.</summary>
    public int Count => blocks.Blocks.Count;

    /// <summary>The exclusive end of the newest block: everything older that was ever taken is in blocks. long.MinValue when there is none.</summary>
    public long EndMs => blocks.Blocks.Select(b => b.Meta.MaxTime).DefaultIfEmpty(long.MinValue).Max();

    /// <summary>The blocks, for the cut that adds to them.</summary>
    public BlockSet Set => blocks;

    /// <summary>Adds the series sets of the blocks that overlap the range, by time.</summary>
    public void Select(IReadOnlyList<Matcher> matchers, TimeRange range, List<ISeriesSet> into, CancellationToken cancellation)
    {
        using var snapshot = blocks.Snapshot();
        foreach (var block in snapshot.Blocks)
        {
            if (block.Range.Overlaps(range))
            {
                into.Add(block.Select(matchers, range, cancellation));
            }
        }
    }

    /// <summary>Adds the label names of matching series in blocks that overlap the range.</summary>
    public void AddLabelNames(IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into)
    {
        using var snapshot = blocks.Snapshot();
        foreach (var block in snapshot.Blocks)
        {
            into.UnionWith(block.LabelNames(matchers, range));
        }
    }

    /// <summary>Adds the values of a label of matching series in blocks that overlap the range.</summary>
    public void AddLabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into)
    {
        using var snapshot = blocks.Snapshot();
        foreach (var block in snapshot.Blocks)
        {
            into.UnionWith(block.LabelValues(name, matchers, range));
        }
    }

    /// <summary>Deletes the blocks all of whose samples are older than an instant; running reads of them end undisturbed. Returns how many.</summary>
    public int DeleteOlderThan(long timeMs)
    {
        var deleted = 0;
        foreach (var block in blocks.Blocks)
        {
            // The end is exclusive.
            if (block.Meta.MaxTime <= timeMs && blocks.Delete(block.Meta.Ulid))
            {
                deleted++;
            }
        }

        return deleted;
    }

    /// <summary>Closes the blocks once nobody reads them any more.</summary>
    public void Dispose() => blocks.Dispose();
}
