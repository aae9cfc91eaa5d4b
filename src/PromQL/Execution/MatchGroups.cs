using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Execution;

/// <summary>Series of both sides with one signature, by their indexes.</summary>
internal sealed class MatchGroup
{
    public List<int> Left { get; } = [];

    public List<int> Right { get; } = [];
}

/// <summary>The join table of a binary operation, built once per query on labels.</summary>
internal static class MatchGroups
{
    /// <summary>The labels that two series must have alike to meet.</summary>
    public static LabelSubset SignatureOf(VectorMatching matching) =>
        new(matching.On ? matching.MatchingLabels : [.. matching.MatchingLabels, Labels.MetricName], without: !matching.On);

    /// <summary>Sorts both sides into groups of equal signature.</summary>
    public static IReadOnlyList<MatchGroup> Of(
        VectorMatching matching, IReadOnlyList<SeriesHeader> left, IReadOnlyList<SeriesHeader> right, LabelSets labels)
    {
        var signature = SignatureOf(matching);
        var index = new LabelSetIndex();
        var groups = new List<MatchGroup>();
        for (var i = 0; i < left.Count; i++)
        {
            GroupOf(left[i].Labels).Left.Add(i);
        }

        for (var i = 0; i < right.Count; i++)
        {
            GroupOf(right[i].Labels).Right.Add(i);
        }

        return groups;

        MatchGroup GroupOf(Labels series)
        {
            var at = index.Add(labels.Reduce(series, signature));
            if (at == groups.Count)
            {
                groups.Add(new MatchGroup());
            }

            return groups[at];
        }
    }
}
