using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Execution;

/// <summary>Series of both sides with one signature, by their indexes.</summary>
internal readonly ref struct MatchGroup(ReadOnlySpan<int> left, ReadOnlySpan<int> right)
{
    public ReadOnlySpan<int> Left { get; } = left;

    public ReadOnlySpan<int> Right { get; } = right;
}

/// <summary>The join table of a binary operation, built once per query on labels: both sides sorted into groups of equal signature. In pooled memory.</summary>
internal sealed class MatchGroups : IDisposable
{
    private readonly Side left;
    private readonly Side right;

    /// <summary>Sorts both sides into groups.</summary>
    public MatchGroups(VectorMatching matching, IReadOnlyList<SeriesHeader> left, IReadOnlyList<SeriesHeader> right)
    {
        using var index = new LabelSetIndex();
        var signature = SignatureOf(matching);
        var labels = new LabelSets();
        this.left = new Side(left, index, labels, signature);
        this.right = new Side(right, index, labels, signature);
        Count = index.Count;
        this.left.Sort(Count);
        this.right.Sort(Count);
    }

    /// <summary>The number of groups.</summary>
    public int Count { get; }

    /// <summary>A group. Those of the left side come first, in the order of their first series.</summary>
    public MatchGroup this[int group] => new(left.Of(group), right.Of(group));

    /// <summary>The labels that two series must have alike to meet.</summary>
    public static LabelSubset SignatureOf(VectorMatching matching) =>
        new(matching.On ? matching.MatchingLabels : [.. matching.MatchingLabels, Labels.MetricName], without: !matching.On);

    /// <inheritdoc/>
    public void Dispose()
    {
        left.Dispose();
        right.Dispose();
    }

    /// <summary>One side: first the group of each series, then the series of each group, ascending.</summary>
    private sealed class Side : IDisposable
    {
        private readonly PooledList<int> groupOf;
        private readonly PooledList<int> members = new();
        private readonly PooledList<int> starts = new();

        public Side(IReadOnlyList<SeriesHeader> series, LabelSetIndex index, LabelSets labels, LabelSubset signature)
        {
            groupOf = new PooledList<int>(series.Count);
            if (series is SharedHeaders shared)
            {
                var known = new int[shared.Distinct.Count];
                Array.Fill(known, -1);
                foreach (var number in shared.Numbers)
                {
                    if (known[number] < 0)
                    {
                        known[number] = index.Add(labels.Reduce(shared.Distinct[number].Labels, signature));
                    }

                    groupOf.Add(known[number]);
                }

                return;
            }

            for (var i = 0; i < series.Count; i++)
            {
                ProcessorTurn.CheckpointAt(i);
                groupOf.Add(index.Add(labels.Reduce(series[i].Labels, signature)));
            }
        }

        public ReadOnlySpan<int> Of(int group) => members.Items[starts[group]..starts[group + 1]];

        /// <summary>Counts, then places (a counting sort).</summary>
        public void Sort(int groups)
        {
            var from = starts.Extend(groups + 2);
            from.Clear();
            foreach (var group in groupOf.Items)
            {
                from[group + 2]++;
            }

            for (var group = 2; group < from.Length; group++)
            {
                from[group] += from[group - 1];
            }

            var into = members.Extend(groupOf.Count);
            for (var i = 0; i < groupOf.Count; i++)
            {
                into[from[groupOf[i] + 1]++] = i;
            }
        }

        public void Dispose()
        {
            groupOf.Dispose();
            members.Dispose();
            starts.Dispose();
        }
    }
}
