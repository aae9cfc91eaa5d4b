using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.PromQL.Execution;

/// <summary>Makes operators for the functions that are not over ranges.</summary>
internal static class InstantCalls
{
    /// <summary>Makes the operator of a call.</summary>
    public static VectorOperator Build(CallNode node, OperatorFactory operators, EvaluationContext context)
    {
        switch (node.Name)
        {
            case "vector":
                return Vector(node, operators.Scalar(node.Arguments[0]));
            case "absent" or "absent_over_time":
                return Absent(node, operators.Build(node.Arguments[0]), context);
            case "timestamp" when node.Arguments[0] is SelectNode select:
                return operators.Unique(new RenamedOperator(operators.OpenSelector(select, SampleColumn.Time), context));
            case "start_timestamp" when node.Arguments[0] is SelectNode select:
                return operators.Unique(new RenamedOperator(operators.OpenSelector(select, SampleColumn.StartTime), context));
            case "sort" or "sort_desc" or "sort_by_label" or "sort_by_label_desc":
                return SortCall.Apply(node, operators.Build(node.Arguments[0]), context);
            case "label_replace":
                return LabelCalls.Replace(node, operators.Build(node.Arguments[0]), context);
            case "label_join":
                return LabelCalls.Join(node, operators.Build(node.Arguments[0]), context);
            case "histogram_quantile":
                return HistogramCalls.Quantile(node, operators.Scalar(node.Arguments[0]), operators.Build(node.Arguments[1]), context);
            case "histogram_quantiles":
                return HistogramCalls.Quantiles(
                    node, ((StringNode)node.Arguments[1]).Value, [.. node.Arguments.Skip(2).Select(operators.Scalar)], operators.Build(node.Arguments[0]), context);
            case "histogram_fraction":
                return HistogramCalls.Fraction(
                    node, operators.Scalar(node.Arguments[0]), operators.Scalar(node.Arguments[1]), operators.Build(node.Arguments[2]), context);
            case InfoSelection.Function:
                return InfoCall.Apply(node, operators.Build(node.Arguments[0]), operators.Build(node.Arguments[1]), context);
            default:
                return Elementwise(node, operators, context);
        }
    }

    private static VectorOperator Elementwise(CallNode node, OperatorFactory operators, EvaluationContext context)
    {
        if (!FunctionKinds.IsElementwise(node.Name))
        {
            throw new QueryException(QueryErrorKind.Internal, $"no implementation of function {node.Name}");
        }

        // Functions of a date take the time of the step when they are given none.
        var vector = node.Arguments.Count == 0 ? StepTimes(node) : operators.Build(node.Arguments[0]);
        double[][] parameters = [.. node.Arguments.Skip(1).Select(operators.Scalar)];
        return operators.Unique(new ElementOperator(node, vector, parameters, context));
    }

    private static RowsOperator StepTimes(CallNode node)
    {
        var times = new double[node.Grid.Count];
        for (var step = 0; step < times.Length; step++)
        {
            times[step] = node.Grid.At(step) / 1000.0;
        }

        return Vector(node, times);
    }

    private static RowsOperator Vector(CallNode node, double[] values)
    {
        var batch = new StepBatch(1, node.Grid.Count);
        values.AsSpan().CopyTo(batch.ValuesOf(0));
        batch.Row(0).SetAllPresent();
        return new RowsOperator(node.Grid.Count, [new SeriesHeader(Labels.Empty, false)], [batch]);
    }

    /// <summary>1 wherever nothing is; the labels are those that the selector pins.</summary>
    private static RowsOperator Absent(CallNode node, VectorOperator source, EvaluationContext context)
    {
        using var whole = Materialised.From(source, context);
        var batch = new StepBatch(1, node.Grid.Count);
        var into = batch.Row(0);
        for (var step = 0; step < whole.Steps; step++)
        {
            var any = false;
            foreach (var row in whole.Rows)
            {
                any |= row.Has(step);
            }

            if (!any)
            {
                into.Set(step, 1);
            }
        }

        return new RowsOperator(node.Grid.Count, [new SeriesHeader(AbsentLabels(node.Call.Arguments[0]), node.Name == "absent_over_time")], [batch]);
    }

    private static Labels AbsentLabels(Expr argument)
    {
        var matchers = argument switch
        {
            VectorSelector selector => selector.Matchers,
            MatrixSelector matrix => matrix.Selector.Matchers,
            _ => [],
        };
        var builder = new LabelsBuilder();
        var met = new HashSet<string>(StringComparer.Ordinal);
        foreach (var matcher in matchers)
        {
            if (matcher.Name == Labels.MetricName)
            {
                continue;
            }

            // A label matched twice, or otherwise than by equality, has no one value.
            builder.Set(matcher.Name, matcher.Type == MatchType.Equal && met.Add(matcher.Name) ? matcher.Value : "");
            met.Add(matcher.Name);
        }

        return builder.ToLabels();
    }
}

/// <summary>Passes values on and drops names.</summary>
internal sealed class RenamedOperator(VectorOperator inner, EvaluationContext context) : VectorOperator
{
    private readonly IReadOnlyList<SeriesHeader> series = HeaderMap.DropNames(inner.Series, context);

    /// <inheritdoc/>
    public override int Steps => inner.Steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => series;

    /// <inheritdoc/>
    public override StepBatch? Next() => inner.Next();

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();
}
