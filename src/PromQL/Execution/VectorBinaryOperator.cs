using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Arithmetic and comparison between two vectors: one to one, many to one, one to many, with fill values.</summary>
/// <remarks>
/// Which series can meet is settled once, on labels: both sides are sorted into match groups by their signature. Whether a group has too many
/// members is judged step by step, for only members present at a step count.
/// </remarks>
internal sealed class VectorBinaryOperator
{
    private readonly BinaryNode node;
    private readonly VectorMatching matching;
    private readonly EvaluationContext context;
    private readonly Materialised many;
    private readonly Materialised one;
    private readonly ResultRows results;
    private readonly LabelSets labels = new();
    private readonly LabelSubset matchedLabels;
    private readonly LabelSubset signature;
    private readonly byte[][] include;
    private readonly Dictionary<(int Many, int One), SeriesHeader> resultOf = [];
    private readonly bool swapped;

    private VectorBinaryOperator(BinaryNode node, Materialised left, Materialised right, EvaluationContext context)
    {
        this.node = node;
        this.context = context;
        matching = node.Matching!;
        swapped = matching.Cardinality == MatchCardinality.OneToMany;
        many = swapped ? right : left;
        one = swapped ? left : right;
        results = new ResultRows(left.Steps);
        matchedLabels = new LabelSubset(matching.MatchingLabels, without: !matching.On);
        signature = MatchGroups.SignatureOf(matching);
        include = [.. matching.Include.Select(System.Text.Encoding.UTF8.GetBytes)];
    }

    /// <summary>Computes the operation.</summary>
    public static VectorOperator Apply(BinaryNode node, VectorOperator left, VectorOperator right, EvaluationContext context)
    {
        using var leftRows = Materialised.From(left, context);
        using var rightRows = Materialised.From(right, context);
        return new VectorBinaryOperator(node, leftRows, rightRows, context).Run();
    }

    private VectorOperator Run()
    {
        using var groups = new MatchGroups(matching, many.Series, one.Series);
        for (var i = 0; i < groups.Count; i++)
        {
            context.Checkpoint();
            var group = groups[i];
            if (group.Left.Length == 1 && group.Right.Length == 1 && matching.FillLeft is null && matching.FillRight is null
                && !many.Rows[group.Left[0]].AnyHistogram && !one.Rows[group.Right[0]].AnyHistogram
                && node.Operator is not (BinaryOperator.TrimLower or BinaryOperator.TrimUpper))
            {
                Pair(group.Left[0], group.Right[0]);
            }
            else
            {
                StepByStep(group);
            }
        }

        return results.ToOperator();
    }

    /// <summary>Fast path: one series on each side, floats only: whole columns at once.</summary>
    private void Pair(int manyAt, int oneAt)
    {
        var left = swapped ? one.Rows[oneAt] : many.Rows[manyAt];
        var right = swapped ? many.Rows[manyAt] : one.Rows[oneAt];
        var leftWords = left.Presence;
        var rightWords = right.Presence;
        var both = 0UL;
        for (var word = 0; word < leftWords.Length; word++)
        {
            both |= leftWords[word] & rightWords[word];
        }

        if (both == 0)
        {
            return;
        }

        var header = HeaderOf(manyAt, oneAt);
        var into = results.RowOf(header);
        if (!into.IsEmpty)
        {
            // Another match group gave this series already.
            for (var step = 0; step < left.Steps; step++)
            {
                if (left.Has(step) && right.Has(step))
                {
                    Put(header, step, new Operand(left.Values[step], null), new Operand(right.Values[step], null));
                }
            }

            return;
        }

        ColumnArithmetic.Compute(node.Operator, node.ReturnBool, left, right, into);
    }

    private void StepByStep(MatchGroup group)
    {

        // As in Prometheus the values do not change sides with group_right: fill_right stands in for the "one" side, fill_left for the "many" side.
        var fillMany = matching.FillLeft;
        var fillOne = matching.FillRight;
        var seen = new HashSet<Labels>();
        for (var step = 0; step < many.Steps; step++)
        {
            var oneAt = PresentOne(group, step);
            var matched = 0;
            seen.Clear();
            foreach (var manyAt in group.Left)
            {
                var row = many.Rows[manyAt];
                if (!row.Has(step) || (oneAt < 0 && fillOne is null))
                {
                    continue;
                }

                var other = oneAt < 0 ? new Operand(fillOne!.Value, null) : Of(one.Rows[oneAt], step);
                if (Emit(manyAt, oneAt, step, Of(row, step), other, matched, seen))
                {
                    matched++;
                }
            }

            if (fillMany is { } fill && oneAt >= 0 && matched == 0)
            {
                Emit(-1, oneAt, step, new Operand(fill, null), Of(one.Rows[oneAt], step), matched, seen);
            }
        }
    }

    private void Check(SeriesHeader header, int matched, HashSet<Labels> seen)
    {
        if (matching.Cardinality == MatchCardinality.OneToOne)
        {
            if (matched > 0)
            {
                throw new QueryException(
                    QueryErrorKind.Execution, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
            }
        }
        else if (!seen.Add(header.Labels))
        {
            throw new QueryException(QueryErrorKind.Execution, "multiple matches for labels: grouping labels must ensure unique matches");
        }
    }

    /// <summary>The series of the "one" side that is present at a step, or -1.</summary>
    private int PresentOne(MatchGroup group, int step)
    {
        var found = -1;
        foreach (var at in group.Right)
        {
            if (!one.Rows[at].Has(step))
            {
                continue;
            }

            if (found >= 0)
            {
                throw DuplicateError(found, at);
            }

            found = at;
        }

        return found;
    }

    private QueryException DuplicateError(int first, int second)
    {
        var a = LabelNotation.Of(one.Series[first].Labels);
        var b = LabelNotation.Of(one.Series[second].Labels);
        if (string.CompareOrdinal(a, b) > 0)
        {
            (a, b) = (b, a);
        }

        var group = LabelNotation.Of(MatchLabels(one.Series[second].Labels));
        return new QueryException(
            QueryErrorKind.Execution,
            $"found duplicate series for the match group {group} on the {(swapped ? "left" : "right")} hand-side of the operation: [{a}, {b}]"
            + ";many-to-many matching not allowed: matching labels must be unique on one side");
    }

    private Labels MatchLabels(Labels of) => Labels.FromEncoded(labels.Reduce(of, signature));

    private static Operand Of(StepRow row, int step) => new(row.Values[step], row.Histogram(step));

    /// <summary>Computes one result; false when the samples do not fit. <paramref name="matched"/> tells how many the group gave at this step already.</summary>
    private bool Emit(int manyAt, int oneAt, int step, Operand manySide, Operand oneSide, int matched, HashSet<Labels> seen)
    {
        var outcome = swapped
            ? ElementArithmetic.Compute(node.Operator, oneSide, manySide, node.Position, context)
            : ElementArithmetic.Compute(node.Operator, manySide, oneSide, node.Position, context);
        if (!outcome.IsValid)
        {
            return false;
        }

        var header = HeaderOf(manyAt, oneAt);
        Check(header, matched, seen);
        if (node.ReturnBool)
        {
            results.Add(header, step, outcome.Keep ? 1 : 0, null);
        }
        else if (outcome.Keep)
        {
            results.Add(header, step, outcome.Result.Value, outcome.Result.Histogram);
        }

        return true;
    }

    private void Put(SeriesHeader header, int step, Operand left, Operand right)
    {
        var outcome = ElementArithmetic.Compute(node.Operator, left, right, node.Position, context);
        if (node.ReturnBool)
        {
            results.Add(header, step, outcome.Keep ? 1 : 0, null);
        }
        else if (outcome.Keep)
        {
            results.Add(header, step, outcome.Result.Value, outcome.Result.Histogram);
        }
    }

    /// <summary>The labels of a result; -1 stands for a filled side, which has the labels that were matched.</summary>
    private SeriesHeader HeaderOf(int manyAt, int oneAt)
    {
        if (resultOf.TryGetValue((manyAt, oneAt), out var known))
        {
            return known;
        }

        var manyLabels = manyAt >= 0 ? many.Series[manyAt].Labels : MatchLabels(one.Series[oneAt].Labels);
        var oneLabels = oneAt >= 0 ? one.Series[oneAt].Labels : MatchLabels(manyLabels);
        var result = manyLabels;
        if (OperatorKinds.ChangesMeaning(node.Operator) || (node.ReturnBool && !context.Options.DelayedNameRemoval))
        {
            result = labels.WithoutMetadata(result);
        }

        if (matching.Cardinality == MatchCardinality.OneToOne)
        {
            result = Labels.FromEncoded(labels.Reduce(result, matchedLabels));
        }
        else if (include.Length > 0)
        {
            var builder = new LabelsBuilder().Reset(result);
            foreach (var name in include)
            {
                builder.Set(name, oneLabels.Get(name));
            }

            result = builder.ToLabels();
        }

        var header = new SeriesHeader(result, node.ReturnBool);
        resultOf.Add((manyAt, oneAt), header);
        return header;
    }
}
