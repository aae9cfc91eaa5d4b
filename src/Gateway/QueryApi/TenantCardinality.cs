using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.QueryApi;

/// <summary>How many of a tenant's series carry which labels: the shards' counts, put together.</summary>
/// <remarks>
/// Each shard names its own most frequent pairs, more than are wanted; those are then counted in all shards, so that the counts are those of the tenant. Series are spread by a hash of all labels,
/// so what is frequent in the tenant is so in its shards; only among ties at the end of the list another may be missed.
/// </remarks>
internal sealed class TenantCardinality
{
    // Ties at the end of a short list.
    private const int Spare = 32;

    private TenantCardinality(long series, IReadOnlyList<LabelCardinality> labels, IReadOnlyList<PairCount> frequent)
    {
        Series = series;
        Labels = labels;
        Frequent = frequent;
    }

    /// <summary>All series looked at.</summary>
    public long Series { get; }

    /// <summary>Every label, by name.</summary>
    public IReadOnlyList<LabelCardinality> Labels { get; }

    /// <summary>The candidates for the most frequent pairs, the most frequent first, then by name and value.</summary>
    public IReadOnlyList<PairCount> Frequent { get; }

    /// <summary>Asks the shards of a tenant.</summary>
    /// <exception cref="ShardUnavailableException">One can't say.</exception>
    public static ValueTask<TenantCardinality> AskAsync(ICluster cluster, TenantId tenant, CardinalityQuery query, CancellationToken cancellation) =>
        cluster.AskAsync(tenant, shards => AskAsync(shards, query, cancellation), cancellation);

    /// <summary>Asks the shards.</summary>
    /// <exception cref="ShardUnavailableException">One can't say.</exception>
    public static async ValueTask<TenantCardinality> AskAsync(IReadOnlyList<IShard> shards, CardinalityQuery query, CancellationToken cancellation)
    {
        var parts = await AskAllAsync(shards, query with { Limit = (query.Limit * 2) + Spare }, cancellation);
        var candidates = parts.SelectMany(p => p.Frequent).Select(f => f.Pair).Distinct().ToList();
        if (shards.Count > 1 && candidates.Count > 0)
        {
            parts = await AskAllAsync(shards, query with { Pairs = candidates }, cancellation);
        }

        var labels = new SortedDictionary<string, LabelCardinality>(StringComparer.Ordinal);
        foreach (var label in parts.SelectMany(p => p.Labels))
        {
            if (!labels.TryGetValue(label.Name, out var known))
            {
                labels.Add(label.Name, label with { Values = Copy(label.Values) });
                continue;
            }

            known.Values.Add(label.Values);
            labels[label.Name] = known with { Series = known.Series + label.Series, Bytes = known.Bytes + label.Bytes };
        }

        var frequent = parts.SelectMany(p => p.Frequent).GroupBy(f => f.Pair, f => f.Series).Select(g => new PairCount(g.Key, g.Sum()));
        return new TenantCardinality(
            parts.Sum(p => p.Series),
            [.. labels.Values],
            [.. frequent.OrderByDescending(f => f.Series).ThenBy(f => f.Pair.Name, StringComparer.Ordinal).ThenBy(f => f.Pair.Value, StringComparer.Ordinal)]);
    }

    private static DistinctCount Copy(DistinctCount of) => new(of.Hashes, of.Sketch);

    private static Task<ShardCardinality[]> AskAllAsync(IReadOnlyList<IShard> shards, CardinalityQuery query, CancellationToken cancellation) =>
        Task.WhenAll(shards.Select(s => Task.Run(() => s.CardinalityAsync(query, cancellation).AsTask(), cancellation)));
}
