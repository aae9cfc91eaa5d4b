using System.Runtime.CompilerServices;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.Tenancy;

/// <summary>A shard that can only be read: with one more label on every series, and without what is older than an instant.</summary>
/// <remarks>Matchers on the label choose among shards, not among series.</remarks>
internal sealed class ShardView(IShard shard, AddedLabel? added, long minTimeMs) : IShard
{
    /// <inheritdoc/>
    public ShardId Id => shard.Id;

    /// <inheritdoc/>
    public ShardStatistics Statistics => shard.Statistics;

    /// <inheritdoc/>
    public ValueTask<ShardStatistics> StatisticsAsync(CancellationToken cancellation) => shard.StatisticsAsync(cancellation);

    /// <inheritdoc/>
    public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) =>
        shard.RunAsync(fragment with { Added = added, MinTimeMs = Math.Max(fragment.MinTimeMs, minTimeMs) }, cancellation);

    /// <inheritdoc/>
    public ValueTask<ShardCardinality> CardinalityAsync(CardinalityQuery query, CancellationToken cancellation)
    {
        if (added is null || query.Selector is null)
        {
            return shard.CardinalityAsync(query, cancellation);
        }

        return added.Below(query.Selector) is { } own ? shard.CardinalityAsync(query with { Selector = own }, cancellation) : ValueTask.FromResult(ShardCardinality.Empty);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<Labels>> SeriesAsync(LabelQuery query, CancellationToken cancellation)
    {
        if (Narrowed(query) is not { } narrowed)
        {
            return [];
        }

        var found = await shard.SeriesAsync(narrowed, cancellation);
        return added is null ? found : [.. found.Select(series => added.AddTo(series, new LabelsBuilder()))];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<string>> LabelNamesAsync(LabelQuery query, CancellationToken cancellation)
    {
        if (Narrowed(query) is not { } narrowed)
        {
            return [];
        }

        var found = await shard.LabelNamesAsync(narrowed, cancellation);
        return added is not null && found.Count > 0 ? [.. found.Append(added.Name).Distinct(StringComparer.Ordinal)] : found;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<string>> LabelValuesAsync(string name, LabelQuery query, CancellationToken cancellation)
    {
        if (Narrowed(query) is not { } narrowed)
        {
            return [];
        }

        return name == added?.Name
            ? (await shard.LabelNamesAsync(narrowed with { Limit = 1 }, cancellation)).Count > 0 ? [added.Value] : []
            : await shard.LabelValuesAsync(name, narrowed, cancellation);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var seen = new TimeRange(Math.Max(range.MinMs, minTimeMs), range.MaxMs);
        var own = added is null ? matchers : added.Below(matchers);
        if (own is null || seen.IsEmpty)
        {
            yield break;
        }

        using var order = added is null ? null : new LabelledOrder(added);
        await foreach (var series in shard.ReadAsync(own, seen, cancellation))
        {
            if (order is null)
            {
                yield return series;
                continue;
            }

            while (order.TryTake(series.Labels, out var waited))
            {
                yield return waited;
            }

            if (order.TryPass(series, out var labelled))
            {
                yield return labelled;
            }
        }

        while (order?.TryTake(next: null, out var last) == true)
        {
            yield return last;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SeriesExemplars>> ExemplarsAsync(LabelQuery query, CancellationToken cancellation)
    {
        if (Narrowed(query) is not { } narrowed)
        {
            return [];
        }

        var found = await shard.ExemplarsAsync(narrowed, cancellation);
        return added is null ? found : [.. found.Select(s => s with { Series = added.AddTo(s.Series, new LabelsBuilder()) })];
    }

    /// <inheritdoc/>
    /// <remarks>What is hidden for its age changes with every moment, so nothing is settled then.</remarks>
    public ValueTask<ShardHistory> HistoryAsync(CancellationToken cancellation) => minTimeMs == long.MinValue ? shard.HistoryAsync(cancellation) : ValueTask.FromResult(ShardHistory.Unknown);

    /// <inheritdoc/>
    public ValueTask<AppendResult> AppendAsync(SampleBatch batch, CancellationToken cancellation) => throw ReadOnly();

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellation) => throw ReadOnly();

    /// <inheritdoc/>
    public ValueTask DeleteAsync(LabelQuery query, CancellationToken cancellation) => throw ReadOnly();

    /// <inheritdoc/>
    public ValueTask CleanDeletedAsync(CancellationToken cancellation) => throw ReadOnly();

    /// <inheritdoc/>
    public ValueTask SnapshotAsync(string folder, bool skipHead, CancellationToken cancellation) => throw ReadOnly();

    /// <summary>The query as the shard is asked it; null when nothing can satisfy it.</summary>
    private LabelQuery? Narrowed(LabelQuery query)
    {
        var range = new TimeRange(Math.Max(query.Range.MinMs, minTimeMs), query.Range.MaxMs);
        if (range.IsEmpty && !query.Range.IsEmpty)
        {
            return null;
        }

        var selectors = new List<IReadOnlyList<Matcher>>(query.Selectors.Count);
        foreach (var selector in query.Selectors)
        {
            if ((added is null ? selector : added.Below(selector)) is { } own)
            {
                selectors.Add(own);
            }
        }

        return selectors.Count == 0 && query.Selectors.Count > 0 ? null : query with { Selectors = selectors, Range = range };
    }

    private IReadOnlyList<Matcher>? Below(IReadOnlyList<Matcher> matchers) => added is null ? matchers : added.Below(matchers);

    private InvalidOperationException ReadOnly() => new($"a view of shard {shard.Id} can't be changed");
}
