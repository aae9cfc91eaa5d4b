using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>Rule: tells which labels of selected series an aggregation will look at, so that no others need to be made.</summary>
/// <remarks>
/// Where the aggregation is carried out beside the selection, sources may use it. Where series travel to it (<c>quantile</c>, <c>count_values</c>, and through <c>and</c> and <c>unless</c>, which keep what they
/// keep as it is), they come with these labels alone, and several may come with the same: nothing between may look at more, or tell them apart. Remarks quote names, types and units.
/// </remarks>
internal static class ProjectionHints
{
    private static readonly string[] quoted = [Labels.MetricName, "__type__", "__unit__"];

    public static PlanNode Apply(PlanNode node, EngineOptions options)
    {
        if (node.Children.Count > 0)
        {
            node = node.With([.. node.Children.Select(c => Apply(c, options))]);
        }

        if (options.DelayedNameRemoval || node is not AggregateNode aggregate || ShardCut.SelectsSeries(aggregate.Operator))
        {
            return node;
        }

        var isCarried = aggregate.Operator is AggregateOperator.Quantile or AggregateOperator.CountValues;
        return aggregate.Inner switch
        {
            SelectNode select when !isCarried || IsPlain(select) => aggregate with { Inner = With(select, new LabelProjection(aggregate.Grouping, aggregate.Without)) },
            BinaryNode { Operator: BinaryOperator.And or BinaryOperator.Unless, Matching: { On: true } matching, Left: SelectNode left, Right: SelectNode right } set
                when !aggregate.Without && IsPlain(left) && IsPlain(right) => aggregate with
                {
                    Inner = set with
                    {
                        Left = With(left, new LabelProjection([.. aggregate.Grouping.Union(matching.MatchingLabels, StringComparer.Ordinal).Union(Quoted(aggregate), StringComparer.Ordinal)], Without: false)),
                        Right = With(right, new LabelProjection(matching.MatchingLabels, Without: false)),
                    },
                },
            _ => node,
        };
    }

    // Sums remark on histograms that do not fit together.
    private static string[] Quoted(AggregateNode aggregate) => aggregate.Operator is AggregateOperator.Sum or AggregateOperator.Avg ? quoted : [];

    private static bool IsPlain(SelectNode select) => select is { Mode: RangeMode.None, Hints.Function: not InfoSelection.Function };

    private static SelectNode With(SelectNode select, LabelProjection projection) => select with { Hints = select.Hints with { Projection = projection } };
}
