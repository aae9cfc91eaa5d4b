using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>A planned query: what the gateway computes, and the fragments it computes it from.</summary>
/// <param name="Root">The gateway's part.</param>
/// <param name="Fragments">The leaves' parts, by index.</param>
internal sealed record QueryPlan(PlanNode Root, IReadOnlyList<FragmentNode> Fragments)
{
    /// <summary>Plans a parsed query. The same arguments give the same plan anywhere: leaves rely on it.</summary>
    public static QueryPlan Make(Expr expression, TimeGrid grid, long lookbackMs, EngineOptions options)
    {
        var root = new PlanBuilder(grid, options, lookbackMs).Build(expression);
        root = ConstantFolding.Apply(root);
        root = MatcherPropagation.Apply(root);
        root = ProjectionHints.Apply(root, options);
        var cut = new ShardCut(options);
        root = cut.Apply(root);
        return new QueryPlan(root, cut.Fragments);
    }
}
