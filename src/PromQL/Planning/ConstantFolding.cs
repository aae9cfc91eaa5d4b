using Metrics.PromQL.Execution;

namespace Metrics.PromQL.Planning;

/// <summary>Rule: arithmetic between constants is done once, before anything is read.</summary>
internal static class ConstantFolding
{
    public static PlanNode Apply(PlanNode node)
    {
        if (node.Children.Count > 0)
        {
            var children = new PlanNode[node.Children.Count];
            var changed = false;
            for (var i = 0; i < children.Length; i++)
            {
                children[i] = Apply(node.Children[i]);
                changed |= !ReferenceEquals(children[i], node.Children[i]);
            }

            node = changed ? node.With(children) : node;
        }

        return node switch
        {
            NegateNode { Inner: NumberNode number } => number with { Value = -number.Value, Position = node.Position },
            BinaryNode { Left: NumberNode left, Right: NumberNode right } binary =>
                new NumberNode(ScalarArithmetic.Compute(binary.Operator, left.Value, right.Value), binary.Grid, binary.Position),
            BroadcastNode { Inner: NumberNode number } broadcast => number with { Grid = broadcast.Grid },
            CallNode { Name: "pi" } => new NumberNode(Math.PI, node.Grid, node.Position),
            _ => node,
        };
    }
}
