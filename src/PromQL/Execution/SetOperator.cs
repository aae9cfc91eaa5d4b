using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>and</c>, <c>or</c>, <c>unless</c>: series stay as they are, at the steps where the other side has a match, or has none.</summary>
internal static class SetOperator
{
    /// <summary>Computes the operation.</summary>
    public static VectorOperator Apply(BinaryNode node, VectorOperator left, VectorOperator right, EvaluationContext context)
    {
        using var leftRows = Materialised.From(left, context);
        using var rightRows = Materialised.From(right, context);
        using var groups = new MatchGroups(node.Matching!, leftRows.Series, rightRows.Series);
        var words = new ulong[(leftRows.Steps + 63) / 64];
        for (var i = 0; i < groups.Count; i++)
        {
            context.Checkpoint();
            var group = groups[i];
            var isOr = node.Operator == BinaryOperator.Or;
            Union(isOr ? leftRows : rightRows, isOr ? group.Left : group.Right, words);
            if (isOr)
            {
                Restrict(rightRows, group.Right, words, keepWhereSet: false);
            }
            else
            {
                Restrict(leftRows, group.Left, words, keepWhereSet: node.Operator == BinaryOperator.And);
            }
        }

        if (node.Operator != BinaryOperator.Or)
        {
            // The left side as it is, with less in it.
            return new RowsOperator(leftRows.Steps, leftRows.Series, leftRows.Detach());
        }

        var results = new ResultRows(leftRows.Steps);
        Collect(leftRows, results);
        Collect(rightRows, results);
        return results.ToOperator();
    }

    private static void Union(Materialised side, ReadOnlySpan<int> members, ulong[] words)
    {
        Array.Clear(words);
        foreach (var at in members)
        {
            var presence = side.Rows[at].Presence;
            for (var word = 0; word < words.Length; word++)
            {
                words[word] |= presence[word];
            }
        }
    }

    private static void Restrict(Materialised side, ReadOnlySpan<int> members, ulong[] words, bool keepWhereSet)
    {
        foreach (var at in members)
        {
            var presence = side.Rows[at].Presence;
            for (var word = 0; word < words.Length; word++)
            {
                presence[word] &= keepWhereSet ? words[word] : ~words[word];
            }
        }
    }

    private static void Collect(Materialised side, ResultRows results)
    {
        for (var i = 0; i < side.Rows.Count; i++)
        {
            if (!side.Rows[i].IsEmpty)
            {
                results.Add(side.Series[i], side.Rows[i]);
            }
        }
    }
}
