using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What is asked about how many series carry which labels.</summary>
/// <param name="Selector">Which series: of head and blocks those that satisfy all matchers; null for whatever the head holds.</param>
/// <param name="Names">The labels whose values are wanted one by one.</param>
/// <param name="Limit">As many of the most frequent values of each of them, and of all pairs.</param>
public sealed record CardinalityQuery(IReadOnlyList<Matcher>? Selector, IReadOnlyList<string> Names, int Limit)
{
    /// <summary>Pairs whose counts are wanted however small; then the lists of the most frequent hold these and no others.</summary>
    public IReadOnlyList<LabelPair> Pairs { get; init; } = [];
}

/// <summary>A label and its value.</summary>
public readonly record struct LabelPair(string Name, string Value);

/// <summary>A label pair and how many series carry it.</summary>
public readonly record struct PairCount(LabelPair Pair, long Series);

/// <summary>What is known about one label.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Series">Series that carry it.</param>
/// <param name="Bytes">The bytes of name and value, once for each series.</param>
/// <param name="Values">Its different values.</param>
public sealed record LabelCardinality(string Name, long Series, long Bytes, DistinctCount Values);

/// <summary>How many of a shard's series carry which labels.</summary>
/// <param name="Series">All series looked at.</param>
/// <param name="Labels">Every label there is, in no order.</param>
/// <param name="Frequent">The most frequent values of the labels asked for, the most frequent pairs of all, or the pairs asked for; each once, in no order.</param>
public sealed record ShardCardinality(long Series, IReadOnlyList<LabelCardinality> Labels, IReadOnlyList<PairCount> Frequent)
{
    /// <summary>Nothing.</summary>
    public static ShardCardinality Empty { get; } = new(0, [], []);
}
