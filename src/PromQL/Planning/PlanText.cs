using System.Globalization;
using System.Text;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>Writes a plan as one line, for tests of rewrites and for recognising equal parts. Everything that changes a result is in it, save positions.</summary>
internal static class PlanText
{
    /// <summary>The text of a plan. Grids are written where they differ from the one around them.</summary>
    public static string Of(PlanNode node)
    {
        var text = new StringBuilder();
        Write(text, node, node.Grid);
        return text.ToString();
    }

    /// <summary>The text of a plan with its own grid in front: equal texts, equal results.</summary>
    public static string KeyOf(PlanNode node) => string.Create(CultureInfo.InvariantCulture, $"{node.Grid.StartMs}/{node.Grid.EndMs}/{node.Grid.StepMs} {Of(node)}");

    private static void Write(StringBuilder text, PlanNode node, TimeGrid around)
    {
        if (node.Grid != around)
        {
            text.Append(CultureInfo.InvariantCulture, $"<{node.Grid.StartMs}..{node.Grid.EndMs}/{node.Grid.StepMs}>");
        }

        switch (node)
        {
            case NumberNode number:
                text.Append(number.Value.ToString("R", CultureInfo.InvariantCulture));
                break;
            case StringNode constant:
                text.Append(Model.LabelsText.Quote(constant.Value));
                break;
            case EmptyNode:
                text.Append("empty");
                break;
            case SelectNode select:
                WriteSelector(text, select, null);
                break;
            case MatrixNode matrix:
                WriteSelector(text, matrix.Selector, matrix.RangeMs);
                break;
            case SubqueryNode subquery:
                text.Append("subquery(");
                Write(text, subquery.Inner, node.Grid);
                text.Append(CultureInfo.InvariantCulture, $")[{subquery.RangeMs}]");
                WriteTime(text, subquery.OffsetMs, subquery.AtMs);
                break;
            case RangeCallNode call:
                WriteCall(text, call.Call.Function.Name, call.Children, node.Grid);
                break;
            case CallNode call:
                WriteCall(text, call.Name, call.Children, node.Grid);
                break;
            case NegateNode:
                WriteCall(text, "-", node.Children, node.Grid);
                break;
            case AggregateNode aggregate:
                text.Append(aggregate.Operator.ToString().ToLowerInvariant());
                text.Append(aggregate.Without ? " without" : " by").Append('(').AppendJoin(", ", aggregate.Grouping).Append(") ");
                WriteCall(text, "", node.Children, node.Grid);
                break;
            case BinaryNode binary:
                text.Append('(');
                Write(text, binary.Left, node.Grid);
                text.Append(' ').Append(Printer.NameOf(binary.Operator)).Append(binary.ReturnBool ? " bool " : " ");
                WriteMatching(text, binary.Matching);
                Write(text, binary.Right, node.Grid);
                text.Append(')');
                break;
            case BroadcastNode broadcast:
                WriteCall(text, "once", [broadcast.Inner], node.Grid);
                break;
            case FragmentNode fragment:
                text.Append('#').Append(fragment.Index);
                WriteCall(text, "", [fragment.Body], node.Grid);
                break;
        }
    }

    private static void WriteCall(StringBuilder text, string name, IReadOnlyList<PlanNode> arguments, TimeGrid around)
    {
        text.Append(name).Append('(');
        for (var i = 0; i < arguments.Count; i++)
        {
            if (i > 0)
            {
                text.Append(", ");
            }

            Write(text, arguments[i], around);
        }

        text.Append(')');
    }

    private static void WriteSelector(StringBuilder text, SelectNode select, long? rangeMs)
    {
        text.Append('{').AppendJoin(",", select.Matchers).Append('}');
        if (rangeMs is { } range)
        {
            text.Append(CultureInfo.InvariantCulture, $"[{range}]");
        }

        if (select.Mode != RangeMode.None)
        {
            text.Append(' ').Append(select.Mode.ToString().ToLowerInvariant());
        }

        WriteTime(text, select.OffsetMs, select.AtMs);
        if (select.Hints.Projection is { } projection)
        {
            text.Append(projection.Without ? " without" : " only").Append('(').AppendJoin(", ", projection.Names).Append(')');
        }
    }

    private static void WriteTime(StringBuilder text, long offsetMs, long? atMs)
    {
        if (offsetMs != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" offset {offsetMs}");
        }

        if (atMs is { } at)
        {
            text.Append(CultureInfo.InvariantCulture, $" @ {at}");
        }
    }

    private static void WriteMatching(StringBuilder text, VectorMatching? matching)
    {
        if (matching is null)
        {
            return;
        }

        if (matching.On || matching.MatchingLabels.Count > 0)
        {
            text.Append(matching.On ? "on(" : "ignoring(").AppendJoin(", ", matching.MatchingLabels).Append(") ");
        }

        if (matching.Cardinality is MatchCardinality.ManyToOne or MatchCardinality.OneToMany)
        {
            text.Append(matching.Cardinality == MatchCardinality.ManyToOne ? "group_left(" : "group_right(").AppendJoin(", ", matching.Include).Append(") ");
        }

        if (matching.FillLeft is { } left)
        {
            text.Append(CultureInfo.InvariantCulture, $"fill_left({left}) ");
        }

        if (matching.FillRight is { } right)
        {
            text.Append(CultureInfo.InvariantCulture, $"fill_right({right}) ");
        }
    }
}
