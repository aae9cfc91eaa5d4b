using System.Runtime.CompilerServices;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>What a shard answers.</summary>
internal sealed partial class Shard
{
    /// <summary>How often one query goes on without a block that it found damaged.</summary>
    private const int DamagePerQueryMax = 4;

    /// <inheritdoc/>
    public async ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation)
    {
        using var span = ClusterTracing.Shard("shard.query", Id);
        NoteUse();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await leaf.RunAsync(fragment, cancellation);
            }
            catch (InvalidDataException) when (attempt < DamagePerQueryMax)
            {
                // The block is set aside now, and the log says why: the rest answers, with a warning.
            }
            catch (InvalidDataException e)
            {
                throw new QueryException(QueryErrorKind.Internal, $"data of shard {Id} is damaged; the server's log says where", e);
            }
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation) => ReadAsync(matchers, range, Labels.Empty, cancellation);

    /// <summary>The raw samples of those series that come after some labels.</summary>
    public async IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, Labels after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        NoteUse();
        using var found = source.Select(matchers, range, new SelectionHints(), cancellation);
        using var lease = memory.Open(QueryBounds.None);
        lease.Take((long)found.Count * MemoryLease.SeriesBytes);
        var order = new (Labels Labels, int Index)[found.Count];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = (found.LabelsOf(i), i);
        }

        Array.Sort(order, static (a, b) => a.Labels.CompareTo(b.Labels));
        using var samples = new SampleBuffer();
        foreach (var (labels, index) in order)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!after.IsEmpty && labels.CompareTo(after) <= 0)
            {
                continue;
            }

            samples.Clear();
            found.Read(index, samples);
            if (samples.Count > 0)
            {
                await ValueTask.CompletedTask;
                yield return new RawSeries(labels, samples);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<SeriesExemplars>> ExemplarsAsync(LabelQuery query, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return LookAsync<IReadOnlyList<SeriesExemplars>>(
            () =>
        [
            .. Store().Exemplars(query.Range).GroupBy(e => e.Series, e => e.Exemplar)
                .Where(g => query.Selectors.Any(s => Matcher.AllMatch(s, g.Key)))
                .OrderBy(g => g.Key)
                .Select(g => new SeriesExemplars(g.Key, [.. g.OrderBy(e => e.TimeMs)])),
        ],
            cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<Labels>> SeriesAsync(LabelQuery query, CancellationToken cancellation) =>
        LookAsync(() => ShardLabels.Series(Store(), query, memory, cancellation), cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> LabelNamesAsync(LabelQuery query, CancellationToken cancellation) =>
        LookAsync(() => ShardLabels.Names(Store(), query, cancellation), cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> LabelValuesAsync(string name, LabelQuery query, CancellationToken cancellation) =>
        LookAsync(() => ShardLabels.Values(Store(), name, query, cancellation), cancellation);

    /// <inheritdoc/>
    public ValueTask<ShardCardinality> CardinalityAsync(CardinalityQuery query, CancellationToken cancellation) =>
        LookAsync(() => CardinalityCount.Of(Store(), query, memory, cancellation), cancellation);

    /// <summary>Looks something up within the tenant's share of the processors.</summary>
    private ValueTask<T> LookAsync<T>(Func<T> look, CancellationToken cancellation)
    {
        NoteUse();
        return new(ProcessorShares.OfProcess.RunAsync(Id.Tenant, ProcessorUse.Query, look, cancellation));
    }
}
