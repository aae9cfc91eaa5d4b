using Metrics.PromQL.Analysis;
using Metrics.PromQL.Functions;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Execution;

/// <summary>Makes operators for plan nodes; the same ones in a leaf and in the gateway, which differ only in where series come from.</summary>
internal abstract class OperatorFactory(EvaluationContext context)
{
    /// <summary>What the operators being made share.</summary>
    protected EvaluationContext Context { get; private set; } = context;

    /// <summary>Makes the operator of a vector node.</summary>
    public VectorOperator Build(PlanNode node) => Context.Meters is { } meters ? BuildMetered(node, meters.Of(node)) : Make(node);

    private VectorOperator Make(PlanNode node) => node switch
    {
        EmptyNode => RowsOperator.Empty(node.Grid.Count),
        FragmentNode fragment => OpenFragment(fragment),
        SelectNode select => OpenSelector(select, select.Hints.Function == InfoSelection.Function ? SampleColumn.Time : SampleColumn.Value),
        RangeCallNode call => Unique(BuildRangeCall(call)),
        NegateNode negate => Unique(new NegateOperator(Build(negate.Inner), Context)),
        BroadcastNode broadcast => new BroadcastOperator(BuildCounting(broadcast.Inner, Context.Counter.Once(broadcast.Grid)), broadcast.Grid.Count),
        AggregateNode aggregate => BuildAggregate(aggregate),
        BinaryNode binary => BuildBinary(binary),
        CallNode call => InstantCalls.Build(call, this, Context),
        _ => throw new QueryException(QueryErrorKind.Internal, $"no vector: {PlanText.Of(node)}"),
    };

    /// <summary>The values of a scalar node.</summary>
    public double[] Scalar(PlanNode node)
    {
        using (Context.Meters?.Measure(node))
        {
            return ScalarEvaluator.Evaluate(node, this);
        }
    }

    /// <summary>Opens a selector.</summary>
    public abstract VectorOperator OpenSelector(SelectNode node, SampleColumn column);

    /// <summary>Merges equal series where names have just been dropped and this side sees all series.</summary>
    public abstract VectorOperator Unique(VectorOperator source);

    /// <summary>Opens a range selector.</summary>
    protected abstract WindowSource OpenWindows(PlanNode source);

    /// <summary>Opens the answers to a fragment.</summary>
    protected abstract VectorOperator OpenFragment(FragmentNode node);

    /// <summary>Makes the operator of an aggregation.</summary>
    protected virtual VectorOperator BuildAggregate(AggregateNode node)
    {
        if (ShardCut.SelectsSeries(node.Operator))
        {
            var parameter = Scalar(node.Parameter!);
            return SelectionAggregate.Apply(node, Build(node.Inner), parameter, isPartial: false, Context);
        }

        return node.Operator switch
        {
            AggregateOperator.Quantile => QuantileAggregate.Apply(node, Build(node.Inner), Scalar(node.Parameter!), Context),
            AggregateOperator.CountValues => CountValuesAggregate.Apply(node, Build(node.Inner), Context),
            _ => AggregateRun.Finish(node, AggregateRun.Update(node, BuildInOrder(node), Context), Context),
        };
    }

    /// <summary>Has series come in an order that depends on them alone, for sums of floats depend on it.</summary>
    protected abstract VectorOperator InOrder(VectorOperator source);

    private VectorOperator BuildInOrder(AggregateNode node)
    {
        var inner = Build(node.Inner);
        return NeededLabels.IsSameInAnyOrder(node.Operator) ? inner : InOrder(inner);
    }

    private RangeCallOperator BuildRangeCall(RangeCallNode node)
    {
        var name = node.Call.Function.Name;
        if (!RangeFunctions.TryGet(name, out var function))
        {
            throw new QueryException(QueryErrorKind.Internal, $"no implementation of function {name}");
        }

        var parameters = new double[node.Parameters.Count][];
        for (var i = 0; i < parameters.Length; i++)
        {
            parameters[i] = Scalar(node.Parameters[i]);
        }

        var source = node.Source is SubqueryNode subquery ? new SubqueryWindows(subquery, BuildCounting(subquery.Inner, Context.Counter.Below(subquery, node.Grid))) : OpenWindows(node.Source);
        return new RangeCallOperator(node, source, function, parameters, Context);
    }

    private MeteredOperator BuildMetered(PlanNode node, OperatorMeter meter)
    {
        using (new PlanMeters.Scope(meter))
        {
            var made = BuildCounting(node, Context.Counter.For(meter), Make);
            meter.AddSeries(made.Series.Count);
            return new MeteredOperator(made, meter);
        }
    }

    private VectorOperator BuildCounting(PlanNode node, SampleCounter counter) => BuildCounting(node, counter, Build);

    private VectorOperator BuildCounting(PlanNode node, SampleCounter counter, Func<PlanNode, VectorOperator> build)
    {
        var outer = Context;
        Context = outer.With(counter);
        try
        {
            return build(node);
        }
        finally
        {
            Context = outer;
        }
    }

    private VectorOperator BuildBinary(BinaryNode node)
    {
        if (node.Left.Type == ValueType.Scalar)
        {
            return Unique(new ScalarBinaryOperator(node, Build(node.Right), Scalar(node.Left), scalarIsLeft: true, Context));
        }

        if (node.Right.Type == ValueType.Scalar)
        {
            return Unique(new ScalarBinaryOperator(node, Build(node.Left), Scalar(node.Right), scalarIsLeft: false, Context));
        }

        return OperatorKinds.IsSet(node.Operator)
            ? SetOperator.Apply(node, Build(node.Left), Build(node.Right), Context)
            : VectorBinaryOperator.Apply(node, Build(node.Left), Build(node.Right), Context);
    }
}
