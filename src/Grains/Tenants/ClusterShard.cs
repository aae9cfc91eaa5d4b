using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Grains;

/// <summary>A shard as a gateway of the cluster has it: called directly while it is open on this silo's own node, and through its grain otherwise.</summary>
/// <remarks>Whether it still belongs to this node is for its epoch to say, here as in its grain. A call that this node's shard refuses because it was closed meanwhile goes to its next owner.</remarks>
/// <param name="id">Which.</param>
/// <param name="node">This silo's node, when it has one.</param>
/// <param name="remote">The shard wherever it is.</param>
/// <param name="isOpen">Whether any silo has it open, as far as is known.</param>
/// <param name="store">Where its blocks are.</param>
internal sealed class ClusterShard(ShardId id, IShardNode? node, IShard remote, Func<ShardId, bool> isOpen, IObjectStore store) : IShard
{
    /// <inheritdoc/>
    public ShardId Id => id;

    /// <summary>Of a shard that is elsewhere, that silo counts: else each gateway would count it again.</summary>
    public ShardStatistics Statistics => node?.Find(id)?.Statistics ?? default;

    /// <inheritdoc/>
    public ValueTask<ShardStatistics> StatisticsAsync(CancellationToken cancellation) => CallAsync(cancellation, static (s, c) => s.StatisticsAsync(c));

    /// <inheritdoc/>
    public ValueTask<ShardStatistics> PeekStatisticsAsync(CancellationToken cancellation) =>
        node?.Find(id) is not null || isOpen(id) ? StatisticsAsync(cancellation) : ClosedShard.StatisticsAsync(store, id, cancellation);

    /// <inheritdoc/>
    public ValueTask<AppendResult> AppendAsync(SampleBatch batch, CancellationToken cancellation) => CallAsync((batch, cancellation), static (s, a) => s.AppendAsync(a.batch, a.cancellation));

    /// <inheritdoc/>
    public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) => CallAsync((fragment, cancellation), static (s, a) => s.RunAsync(a.fragment, a.cancellation), isQuestion: true);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<Labels>> SeriesAsync(LabelQuery query, CancellationToken cancellation) => CallAsync((query, cancellation), static (s, a) => s.SeriesAsync(a.query, a.cancellation), isQuestion: true);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> LabelNamesAsync(LabelQuery query, CancellationToken cancellation) =>
        CallAsync((query, cancellation), static (s, a) => s.LabelNamesAsync(a.query, a.cancellation), isQuestion: true);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> LabelValuesAsync(string name, LabelQuery query, CancellationToken cancellation) =>
        CallAsync((name, query, cancellation), static (s, a) => s.LabelValuesAsync(a.name, a.query, a.cancellation), isQuestion: true);

    /// <inheritdoc/>
    public IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation) => (node?.Find(id) ?? remote).ReadAsync(matchers, range, cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<SeriesExemplars>> ExemplarsAsync(LabelQuery query, CancellationToken cancellation) =>
        CallAsync((query, cancellation), static (s, a) => s.ExemplarsAsync(a.query, a.cancellation), isQuestion: true);

    /// <inheritdoc/>
    public ValueTask<ShardHistory> HistoryAsync(CancellationToken cancellation) => CallAsync(cancellation, static (s, c) => s.HistoryAsync(c));

    /// <inheritdoc/>
    public ValueTask<ShardCardinality> CardinalityAsync(CardinalityQuery query, CancellationToken cancellation) => CallAsync((query, cancellation), static (s, a) => s.CardinalityAsync(a.query, a.cancellation), isQuestion: true);

    /// <inheritdoc/>
    public async ValueTask FlushAsync(CancellationToken cancellation) => await CallAsync(cancellation, static async (s, c) =>
    {
        await s.FlushAsync(c);
        return true;
    });

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(LabelQuery query, CancellationToken cancellation) => await CallAsync((query, cancellation), static async (s, a) =>
    {
        await s.DeleteAsync(a.query, a.cancellation);
        return true;
    });

    /// <inheritdoc/>
    public async ValueTask CleanDeletedAsync(CancellationToken cancellation) => await CallAsync(cancellation, static async (s, c) =>
    {
        await s.CleanDeletedAsync(c);
        return true;
    });

    /// <inheritdoc/>
    public async ValueTask AdoptAsync(Ulid block, CancellationToken cancellation) => await CallAsync((block, cancellation), static async (s, a) =>
    {
        await s.AdoptAsync(a.block, a.cancellation);
        return true;
    });

    /// <inheritdoc/>
    public ValueTask SnapshotAsync(string folder, bool skipHead, CancellationToken cancellation) => (node?.Find(id) ?? remote).SnapshotAsync(folder, skipHead, cancellation);

    /// <summary>Calls the shard on this node, if it is there, or wherever it is.</summary>
    private async ValueTask<TResult> CallAsync<TArguments, TResult>(TArguments arguments, Func<IShard, TArguments, ValueTask<TResult>> call, bool isQuestion = false)
    {
        if (node?.Find(id) is { } here)
        {
            try
            {
                return await call(here, arguments);
            }
            catch (ShardUnavailableException e) when (!e.IsMoved && (isQuestion || node.Find(id) != here))
            {
                // It was closed meanwhile, or is about to be: a question is asked again for a while. What it had taken is in its log, and an append that comes again does no harm.
            }
            catch (QueryException e) when (e.Kind == QueryErrorKind.Unavailable && isQuestion)
            {
                // As above.
            }
        }

        return await call(remote, arguments);
    }
}
