using Metrics.Model;
using Metrics.PromQL.Functions;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Operators of the gateway, over what the leaves answered.</summary>
/// <param name="answers">The answers of all leaves, by fragment.</param>
/// <param name="context">The query.</param>
internal sealed class GatewayOperators(IReadOnlyList<FragmentResult[]> answers, EvaluationContext context) : OperatorFactory(context)
{
    /// <inheritdoc/>
    public override VectorOperator OpenSelector(SelectNode node, SampleColumn column) =>
        throw new QueryException(QueryErrorKind.Internal, "a selector outside of a fragment");

    /// <inheritdoc/>
    public override VectorOperator Unique(VectorOperator source) => Context.Options.DelayedNameRemoval ? source : DuplicateMerge.Apply(source, Context);

    /// <summary>The series and samples that the leaves found, sorted by labels.</summary>
    public (SeriesHeader Header, SampleBuffer Samples)[] Samples(FragmentNode node)
    {
        var all = new List<(SeriesHeader Header, SampleBuffer Samples)>();
        foreach (var answer in answers[node.Index])
        {
            for (var i = 0; i < answer.Matrix?.Count; i++)
            {
                all.Add((answer.Series[i], answer.Matrix[i]));
            }
        }

        (SeriesHeader Header, SampleBuffer Samples)[] sorted = [.. all];
        LabelSort.Sort(sorted);
        return sorted;
    }

    /// <inheritdoc/>
    /// <remarks>What joins, sets and selections give comes in the order in which it turned up, which is another one for each range.</remarks>
    protected override VectorOperator InOrder(VectorOperator source) => LabelOrder.Apply(source, Context);

    /// <inheritdoc/>
    protected override WindowSource OpenWindows(PlanNode source) =>
        source is FragmentNode { Body: MatrixNode matrix } fragment
            ? new BufferWindows(matrix, Samples(fragment))
            : throw new QueryException(QueryErrorKind.Internal, "windows outside of a fragment");

    /// <inheritdoc/>
    protected override VectorOperator OpenFragment(FragmentNode node)
    {
        if (node.Body is AggregateNode aggregate && !ShardCut.SelectsSeries(aggregate.Operator))
        {
            var parts = new List<PartialAggregation>();
            foreach (var answer in answers[node.Index])
            {
                if (answer.States is not null)
                {
                    parts.Add(new PartialAggregation([.. answer.Series], answer.States));
                }
            }

            return parts.Count == 0
                ? RowsOperator.Empty(node.Grid.Count)
                : AggregateRun.Finish(aggregate, AggregateRun.Merge(aggregate, parts, Context), Context);
        }

        if (node.Body is SelectNode { Hints.Projection: not null })
        {
            // With a part of their labels only, rows are not told apart; whoever asked for that does not need it.
            return new AnswerRowsOperator(node.Grid.Count, answers[node.Index]);
        }

        var rows = Sorted(node);
        return node.Body is AggregateNode ? rows : Unique(rows);
    }

    private VectorOperator Sorted(FragmentNode node)
    {
        var rows = new List<(SeriesHeader Header, StepRow Row)>();
        foreach (var answer in answers[node.Index])
        {
            var next = 0;
            foreach (var batch in answer.Batches)
            {
                for (var i = 0; i < batch.Series; i++, next++)
                {
                    if (!batch.Row(i).IsEmpty)
                    {
                        rows.Add((answer.Series[next], batch.Row(i)));
                    }
                }
            }
        }

        // Each leaf's are sorted already, unless they lost names.
        (SeriesHeader Header, StepRow Row)[] sorted = [.. rows];
        LabelSort.Sort(sorted);
        return new SortedRowsOperator(node.Grid.Count, sorted);
    }
}

/// <summary>Windows over samples that leaves sent.</summary>
internal sealed class BufferWindows(MatrixNode node, (SeriesHeader Header, SampleBuffer Samples)[] series) : WindowSource
{
    private int next;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series { get; } = [.. series.Select(s => s.Header)];

    /// <inheritdoc/>
    public override RangeWindows Windows { get; } = new(node.Grid, node.RangeMs, node.Selector.OffsetMs, node.Selector.AtMs, node.Selector.Mode);

    /// <inheritdoc/>
    public override void Read(SampleBuffer into) => series[next++].Samples.CopyTo(into);

    /// <inheritdoc/>
    public override void Dispose()
    {
    }
}
