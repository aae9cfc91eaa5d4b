using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>A shard's blocks and head as the query engine reads them: one series set, a series once, a sample once.</summary>
internal sealed class ShardSource(Func<IShardStore> open) : ISeriesSource
{
    /// <inheritdoc/>
    public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation) =>
        ValueTask.FromResult(Select(selection.Matchers, selection.Range, cancellation));

    /// <summary>The matching series that have samples in the range.</summary>
    /// <exception cref="ShardUnavailableException">The shard is replaying or closed.</exception>
    public ISeriesSet Select(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var sets = new List<ISeriesSet>();
        try
        {
            open().Select(matchers, range, sets, cancellation);
        }
        catch
        {
            sets.ForEach(s => s.Dispose());
            throw;
        }

        return MergedSeriesSet.Of(sets, cancellation);
    }
}
