using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>Rule: tells sources which labels an aggregation will look at.</summary>
/// <remarks>
/// Only a hint: a source that leaves labels out must keep series apart that differ in them. Given where nothing between the aggregation and the selector looks at
/// labels, and not where remarks quote the metric name.
/// </remarks>
internal static class ProjectionHints
{
    public static PlanNode Apply(PlanNode node, EngineOptions options)
    {
        if (node.Children.Count > 0)
        {
            node = node.With([.. node.Children.Select(c => Apply(c, options))]);
        }

        if (options.DelayedNameRemoval
            || node is not AggregateNode { Operator: >= AggregateOperator.Sum and <= AggregateOperator.Stdvar, Inner: SelectNode select } aggregate)
        {
            return node;
        }

        var projection = new LabelProjection(aggregate.Grouping, aggregate.Without);
        return aggregate with { Inner = select with { Hints = select.Hints with { Projection = projection } } };
    }
}
