using Metrics.PromQL.Parsing;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Planning;

/// <summary>The rule that cuts a plan: the largest parts that a shard can answer from its own series become fragments.</summary>
/// <remarks>
/// A part is shard-local when each of its results comes from one series: operators per series over one selector, with scalars that need no
/// series. On top of it, an aggregation whose states can be merged goes along. Once an operator has dropped names, two series of different shards
/// can end up with equal labels, which Prometheus refuses; so nothing but a merge may follow it unless the selector pins one name or names are
/// dropped at the very end anyway.
/// </remarks>
internal sealed class ShardCut(EngineOptions options)
{
    private readonly List<FragmentNode> fragments = [];
    private readonly Dictionary<string, FragmentNode> selectors = new(StringComparer.Ordinal);

    /// <summary>The fragments of the plan in the order of their indexes.</summary>
    public IReadOnlyList<FragmentNode> Fragments => fragments;

    /// <summary>The plan with its shard-local parts cut out.</summary>
    public PlanNode Apply(PlanNode node)
    {
        if (node is not SubqueryNode && IsLocal(node, out _))
        {
            return Cut(node);
        }

        if (node is AggregateNode aggregate && IsMergeable(aggregate) && IsLocal(aggregate.Inner, out var dropsNames) && !dropsNames)
        {
            var cut = Cut(aggregate);

            // States are merged where they arrive; selections of series are made once more among the survivors of all shards.
            return SelectsSeries(aggregate.Operator) ? aggregate with { Inner = cut } : cut;
        }

        if (node.Children.Count == 0)
        {
            return node;
        }

        var children = new PlanNode[node.Children.Count];
        for (var i = 0; i < children.Length; i++)
        {
            children[i] = Apply(node.Children[i]);
        }

        return node.With(children);
    }

    /// <summary>True for aggregations that pick series rather than compute from them.</summary>
    public static bool SelectsSeries(AggregateOperator op) =>
        op is AggregateOperator.Topk or AggregateOperator.Bottomk or AggregateOperator.Limitk or AggregateOperator.LimitRatio;

    private static bool IsMergeable(AggregateNode node) =>
        node.Operator is not (AggregateOperator.Quantile or AggregateOperator.CountValues) && (node.Parameter is null || IsFree(node.Parameter));

    private FragmentNode Cut(PlanNode body)
    {
        // Equal selectors are read once. Only bare ones: they have nothing to remark, so no remark loses its position.
        var key = body is SelectNode { Mode: RangeMode.None, Hints: { Function: not InfoSelection.Function, StatisticsOnly: false } } ? PlanText.KeyOf(body) : null;
        if (key is not null && selectors.TryGetValue(key, out var known))
        {
            return known;
        }

        var fragment = new FragmentNode(fragments.Count, body);
        fragments.Add(fragment);
        if (key is not null)
        {
            selectors.Add(key, fragment);
        }

        return fragment;
    }

    /// <summary>True when a part is shard-local; tells whether it may hold series that only a dropped name kept apart.</summary>
    private bool IsLocal(PlanNode node, out bool dropsNames)
    {
        dropsNames = false;
        switch (node)
        {
            case SelectNode or MatrixNode:
                return true;
            case SubqueryNode subquery:
                return IsLocal(subquery.Inner, out dropsNames) && !dropsNames;
            case RangeCallNode call:
                if (!IsLocal(call.Source, out dropsNames) || dropsNames || !AllFree(call.Parameters))
                {
                    return false;
                }

                dropsNames = call.Call.Function.Name is not ("last_over_time" or "first_over_time") && !NamesArePinned(call.Source);
                return true;
            case NegateNode negate:
                if (negate.Type != ValueType.Vector || !IsLocal(negate.Inner, out dropsNames) || dropsNames)
                {
                    return false;
                }

                dropsNames = !NamesArePinned(negate.Inner);
                return true;
            case CallNode call:
                return IsLocalCall(call, out dropsNames);
            case BinaryNode binary:
                return IsLocalBinary(binary, out dropsNames);
            case BroadcastNode broadcast:
                return broadcast.Type == ValueType.Vector && IsLocal(broadcast.Inner, out dropsNames);
            default:
                return false;
        }
    }

    private bool IsLocalCall(CallNode call, out bool dropsNames)
    {
        dropsNames = false;
        if (!FunctionKinds.IsElementwise(call.Name) || call.Arguments.Count == 0)
        {
            return false;
        }

        PlanNode? vector = null;
        foreach (var argument in call.Arguments)
        {
            if (argument.Type == ValueType.Vector)
            {
                if (vector is not null || !IsLocal(argument, out dropsNames) || dropsNames)
                {
                    return false;
                }

                vector = argument;
            }
            else if (!IsFree(argument))
            {
                return false;
            }
        }

        if (vector is null)
        {
            return false;
        }

        dropsNames = !NamesArePinned(vector);
        return true;
    }

    private bool IsLocalBinary(BinaryNode binary, out bool dropsNames)
    {
        dropsNames = false;
        var leftIsVector = binary.Left.Type == ValueType.Vector;
        if (leftIsVector == (binary.Right.Type == ValueType.Vector))
        {
            return false;
        }

        var vector = leftIsVector ? binary.Left : binary.Right;
        if (!IsFree(leftIsVector ? binary.Right : binary.Left) || !IsLocal(vector, out dropsNames) || dropsNames)
        {
            return false;
        }

        dropsNames = (binary.ReturnBool || OperatorKinds.ChangesMeaning(binary.Operator)) && !NamesArePinned(vector);
        return true;
    }

    private bool NamesArePinned(PlanNode node)
    {
        if (options.DelayedNameRemoval)
        {
            return true;
        }

        return node switch
        {
            SelectNode select => select.PinsName && !options.TypeAndUnitLabels,
            MatrixNode matrix => NamesArePinned(matrix.Selector),
            _ => node.Children.Count > 0 && node.Children.All(c => c.Type is not (ValueType.Vector or ValueType.Matrix) || NamesArePinned(c)),
        };
    }

    private static bool AllFree(IReadOnlyList<PlanNode> nodes) => nodes.All(IsFree);

    /// <summary>True when a scalar needs no series.</summary>
    private static bool IsFree(PlanNode node) => node switch
    {
        NumberNode or StringNode => true,
        SelectNode or MatrixNode or SubqueryNode or AggregateNode or RangeCallNode => false,
        CallNode call => call.Name is "time" or "pi" or "min_of" or "max_of" && AllFree(call.Arguments),
        _ => node.Type == ValueType.Scalar && AllFree(node.Children),
    };
}
