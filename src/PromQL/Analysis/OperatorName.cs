using System.Globalization;
using System.Text;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Analysis;

/// <summary>What an operator is called in explanations: its kind in brackets, as Thanos's engine has it, and what it does in PromQL's words.</summary>
internal static class OperatorName
{
    /// <summary>The name of a node's operator.</summary>
    public static string Of(PlanNode node) => node switch
    {
        NumberNode number => $"[numberLiteral] {number.Value.ToString("R", CultureInfo.InvariantCulture)}",
        StringNode text => $"[stringLiteral] {LabelsText.Quote(text.Value)}",
        EmptyNode => "[noSeries]",
        SelectNode select => $"[vectorSelector] {Selector(select, null)}",
        MatrixNode matrix => $"[matrixSelector] {Selector(matrix.Selector, matrix.RangeMs)}",
        RangeCallNode { Source: MatrixNode source } call => $"[matrixSelector] {call.Call.Function.Name}({Selector(source.Selector, source.RangeMs)})",
        RangeCallNode call => $"[function] {call.Call.Function.Name}",
        SubqueryNode subquery => $"[subquery] [{PromDuration.Format(subquery.RangeMs)}:{PromDuration.Format(subquery.Inner.Grid.StepMs)}]{Time(subquery.OffsetMs, subquery.AtMs)}",
        CallNode call => $"[function] {call.Name}",
        NegateNode => "[unary] -",
        AggregateNode aggregate => $"[aggregate] {Aggregation(aggregate)}",
        BinaryNode binary => $"[binary] {Printer.NameOf(binary.Operator)}{(binary.ReturnBool ? " bool" : "")}{Matching(binary.Matching)}",
        BroadcastNode => "[stepInvariant]",
        FragmentNode => "[shards]",
        _ => $"[{node.GetType().Name}]",
    };

    private static string Selector(SelectNode select, long? rangeMs)
    {
        var range = rangeMs is { } ms ? $"[{PromDuration.Format(ms)}]" : "";
        var mode = select.Mode == RangeMode.None ? "" : $" {select.Mode.ToString().ToLowerInvariant()}";
        return $"{{{string.Join(",", select.Matchers)}}}{range}{mode}{Time(select.OffsetMs, select.AtMs)}";
    }

    private static string Time(long offsetMs, long? atMs)
    {
        var at = atMs is { } ms ? string.Create(CultureInfo.InvariantCulture, $" @ {ms / 1000.0}") : "";
        var offset = offsetMs == 0 ? "" : $" offset {(offsetMs < 0 ? "-" : "")}{PromDuration.Format(Math.Abs(offsetMs))}";
        return at + offset;
    }

    private static string Aggregation(AggregateNode node)
    {
        var by = node.Grouping.Count == 0 && !node.Without ? "" : $" {(node.Without ? "without" : "by")} ({string.Join(", ", node.Grouping)})";
        var name = node.Operator switch
        {
            AggregateOperator.CountValues => "count_values",
            AggregateOperator.LimitRatio => "limit_ratio",
            _ => node.Operator.ToString().ToLowerInvariant(),
        };
        return name + by;
    }

    private static string Matching(VectorMatching? matching)
    {
        if (matching is null)
        {
            return "";
        }

        var text = new StringBuilder();
        if (matching.On || matching.MatchingLabels.Count > 0)
        {
            text.Append(matching.On ? " on (" : " ignoring (").AppendJoin(", ", matching.MatchingLabels).Append(')');
        }

        if (matching.Cardinality is MatchCardinality.ManyToOne or MatchCardinality.OneToMany)
        {
            text.Append(matching.Cardinality == MatchCardinality.ManyToOne ? " group_left (" : " group_right (").AppendJoin(", ", matching.Include).Append(')');
        }

        return text.ToString();
    }
}
