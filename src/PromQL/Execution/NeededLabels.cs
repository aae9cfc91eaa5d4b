using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>What a fragment looks at of the labels of the series that it selects, where that is not all of them.</summary>
/// <param name="Subset">The labels that its result depends on.</param>
/// <param name="AreQuoted">Whether it may have to remark something on a series, whose name, type and unit it then quotes.</param>
/// <param name="AnyOrder">Whether its result is the same to the bit in whatever order series come.</param>
internal sealed record NeededLabels(LabelSubset Subset, bool AreQuoted, bool AnyOrder)
{
    /// <summary>What remarks quote.</summary>
    public static LabelSubset Quoted { get; } = new([Labels.MetricName, "__type__", "__unit__"], without: false);

    /// <summary>What a fragment needs; null for all labels.</summary>
    public static NeededLabels? Of(PlanNode fragment, EngineOptions options) => fragment switch
    {
        _ when options.DelayedNameRemoval => null,
        SelectNode { Hints.Projection: { } projection } => new NeededLabels(new LabelSubset(projection.Names, projection.Without), AreQuoted: false, AnyOrder: false),
        AggregateNode { Operator: >= AggregateOperator.Sum and <= AggregateOperator.Stdvar } aggregate => new NeededLabels(
            new LabelSubset(aggregate.Grouping, aggregate.Without),
            AreQuoted: aggregate.Operator is AggregateOperator.Sum or AggregateOperator.Avg || Remarks(aggregate.Inner),
            AnyOrder: IsSameInAnyOrder(aggregate.Operator)),
        _ => null,
    };

    /// <summary>Whether an aggregation's result is the same to the bit in whatever order series come.</summary>
    public static bool IsSameInAnyOrder(AggregateOperator of) => of is AggregateOperator.Count or AggregateOperator.Group;

    /// <summary>True when something in a part may be remarked on a series: by functions over windows, and by selectors that interpolate.</summary>
    private static bool Remarks(PlanNode node) => node is RangeCallNode or SelectNode { Mode: not RangeMode.None } || node.Children.Any(Remarks);
}
