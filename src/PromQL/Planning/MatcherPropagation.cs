using Metrics.Model;
using Metrics.PromQL.Parsing;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.PromQL.Planning;

/// <summary>Rule: what one side of a join demands of a label that both must share, the other side demands too.</summary>
/// <remarks>
/// Applies to selectors and functions per series over one, joined one to one or many to one without fill values, and to <c>and</c>. Only equality matchers travel, on
/// labels that take part in the matching, never the name. A series they exclude could have met no partner.
/// </remarks>
internal static class MatcherPropagation
{
    public static PlanNode Apply(PlanNode node)
    {
        if (node.Children.Count > 0)
        {
            node = node.With([.. node.Children.Select(Apply)]);
        }

        if (node is not BinaryNode { Matching: { FillLeft: null, FillRight: null } matching, Operator: not (BinaryOperator.Or or BinaryOperator.Unless) } binary)
        {
            return node;
        }

        var left = SelectorOf(binary.Left);
        var right = SelectorOf(binary.Right);
        if (left is null || right is null)
        {
            return node;
        }

        return binary with
        {
            Left = Extended(binary.Left, Missing(right, left, matching)),
            Right = Extended(binary.Right, Missing(left, right, matching)),
        };
    }

    private static SelectNode? SelectorOf(PlanNode node) => node switch
    {
        SelectNode select => select,
        RangeCallNode { Source: MatrixNode matrix } => matrix.Selector,
        NegateNode negate => SelectorOf(negate.Inner),
        _ => null,
    };

    private static List<Matcher> Missing(SelectNode from, SelectNode to, VectorMatching matching)
    {
        var missing = new List<Matcher>();
        foreach (var matcher in from.Matchers)
        {
            if (matcher is { Type: MatchType.Equal, Value.Length: > 0 }
                && matcher.Name is not (Labels.MetricName or "__type__" or "__unit__")
                && matching.MatchingLabels.Contains(matcher.Name, StringComparer.Ordinal) == matching.On
                && !to.Matchers.Contains(matcher))
            {
                missing.Add(matcher);
            }
        }

        return missing;
    }

    private static PlanNode Extended(PlanNode node, List<Matcher> matchers)
    {
        if (matchers.Count == 0)
        {
            return node;
        }

        return node switch
        {
            SelectNode select => select with { Matchers = [.. select.Matchers, .. matchers] },
            RangeCallNode { Source: MatrixNode matrix } call => call with { Source = matrix with { Selector = (SelectNode)Extended(matrix.Selector, matchers) } },
            NegateNode negate => negate with { Inner = Extended(negate.Inner, matchers) },
            _ => node,
        };
    }
}
