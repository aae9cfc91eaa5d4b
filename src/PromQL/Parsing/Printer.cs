using System.Text;
using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.PromQL.Parsing;

/// <summary>Writes expressions as text that parses to the same expression, exactly as Prometheus's String() does.</summary>
/// <remarks>prometheus/prometheus promql/parser/printer.go.</remarks>
public static class Printer
{
    /// <summary>The text of an expression, on one line.</summary>
    public static string Print(Expr expr)
    {
        var text = new StringBuilder();
        Append(text, expr);
        return text.ToString();
    }

    /// <summary>The word or sign of a binary operator.</summary>
    public static string NameOf(BinaryOperator op) => op switch
    {
        BinaryOperator.Add => "+",
        BinaryOperator.Sub => "-",
        BinaryOperator.Mul => "*",
        BinaryOperator.Div => "/",
        BinaryOperator.Mod => "%",
        BinaryOperator.Pow => "^",
        BinaryOperator.Atan2 => "atan2",
        BinaryOperator.Eql => "==",
        BinaryOperator.Neq => "!=",
        BinaryOperator.Gtr => ">",
        BinaryOperator.Lss => "<",
        BinaryOperator.Gte => ">=",
        BinaryOperator.Lte => "<=",
        BinaryOperator.And => "and",
        BinaryOperator.Or => "or",
        BinaryOperator.Unless => "unless",
        BinaryOperator.TrimUpper => "</",
        BinaryOperator.TrimLower => ">/",
        _ => throw new ArgumentOutOfRangeException(nameof(op), op, "no binary operator"),
    };

    /// <summary>The word of an aggregation.</summary>
    public static string NameOf(AggregateOperator op) => op switch
    {
        AggregateOperator.CountValues => "count_values",
        AggregateOperator.LimitRatio => "limit_ratio",
        _ => op.ToString().ToLowerInvariant(),
    };

    /// <summary>The word of a type, as in the HTTP API.</summary>
    public static string NameOf(ValueType type) => type.ToString().ToLowerInvariant();

    /// <summary>True for aggregations whose first argument is a parameter.</summary>
    public static bool HasParameter(AggregateOperator op) => op is AggregateOperator.Topk or AggregateOperator.Bottomk or AggregateOperator.CountValues
        or AggregateOperator.Quantile or AggregateOperator.Limitk or AggregateOperator.LimitRatio;

    internal static void Append(StringBuilder text, Expr expr)
    {
        switch (expr)
        {
            case NumberLiteral number:
                text.Append(Number(number.Value, number.IsDuration));
                break;
            case StringLiteral literal:
                text.Append(GoText.Quote(literal.Value));
                break;
            case ParenExpr paren:
                text.Append('(');
                Append(text, paren.Inner);
                text.Append(')');
                break;
            case UnaryExpr unary:
                text.Append(unary.IsMinus ? '-' : '+');
                Append(text, unary.Operand);
                break;
            case VectorSelector selector:
                AppendSelector(text, selector);
                AppendAt(text, selector.At);
                AppendMode(text, selector.Mode);
                AppendOffset(text, selector.Offset);
                break;
            case MatrixSelector matrix:
                AppendSelector(text, matrix.Selector);
                text.Append('[').Append(Duration(matrix.Range)).Append(']');
                AppendMode(text, matrix.Selector.Mode);
                AppendAt(text, matrix.Selector.At);
                AppendOffset(text, matrix.Selector.Offset);
                break;
            case SubqueryExpr subquery:
                Append(text, subquery.Inner);
                AppendSubquerySuffix(text, subquery);
                break;
            case CallExpr call:
                text.Append(call.Function.Name).Append('(');
                AppendList(text, call.Arguments);
                text.Append(')');
                break;
            case AggregateExpr aggregate:
                AppendAggregateHead(text, aggregate);
                text.Append('(');
                if (aggregate.Parameter is { } parameter)
                {
                    Append(text, parameter);
                    text.Append(", ");
                }

                Append(text, aggregate.Inner);
                text.Append(')');
                break;
            case BinaryExpr binary:
                Append(text, binary.Left);
                text.Append(' ');
                AppendOperator(text, binary);
                text.Append(' ');
                Append(text, binary.Right);
                break;
            case DurationExpr duration:
                AppendDuration(text, duration);
                break;
            default:
                throw new ArgumentException($"no text for a {expr.GetType().Name}", nameof(expr));
        }
    }

    internal static void AppendAggregateHead(StringBuilder text, AggregateExpr aggregate)
    {
        text.Append(NameOf(aggregate.Operator));
        if (aggregate.Without || aggregate.Grouping.Count > 0)
        {
            text.Append(aggregate.Without ? " without (" : " by (");
            AppendLabels(text, aggregate.Grouping);
            text.Append(") ");
        }
    }

    internal static void AppendOperator(StringBuilder text, BinaryExpr binary)
    {
        text.Append(NameOf(binary.Operator)).Append(binary.ReturnBool ? " bool" : "");
        if (binary.Matching is not { } matching)
        {
            return;
        }

        var grouped = matching.Cardinality is MatchCardinality.ManyToOne or MatchCardinality.OneToMany;
        if (matching.MatchingLabels.Count > 0 || matching.On || grouped)
        {
            text.Append(matching.On ? " on (" : " ignoring (");
            AppendLabels(text, matching.MatchingLabels);
            text.Append(')');
        }

        if (grouped)
        {
            text.Append(matching.Cardinality == MatchCardinality.ManyToOne ? " group_left (" : " group_right (");
            AppendLabels(text, matching.Include);
            text.Append(')');
        }

        if (matching.FillLeft is { } both && matching.FillRight is { } same && both == same)
        {
            text.Append(" fill (").Append(ShortestNumber.Of(both)).Append(')');
            return;
        }

        if (matching.FillLeft is { } left)
        {
            text.Append(" fill_left (").Append(ShortestNumber.Of(left)).Append(')');
        }

        if (matching.FillRight is { } right)
        {
            text.Append(" fill_right (").Append(ShortestNumber.Of(right)).Append(')');
        }
    }

    internal static void AppendSubquerySuffix(StringBuilder text, SubqueryExpr subquery)
    {
        text.Append('[').Append(Duration(subquery.Range)).Append(':');
        if (subquery.Step is { } step)
        {
            text.Append(step.Expression is null && step.Ms == 0 ? "" : Duration(step));
        }

        text.Append(']');
        AppendAt(text, subquery.At);
        AppendOffset(text, subquery.Offset);
    }

    private static void AppendList(StringBuilder text, IReadOnlyList<Expr> list)
    {
        for (var i = 0; i < list.Count; i++)
        {
            text.Append(i == 0 ? "" : ", ");
            Append(text, list[i]);
        }
    }

    private static void AppendSelector(StringBuilder text, VectorSelector selector)
    {
        text.Append(selector.Name);
        var matchers = new List<string>();
        foreach (var matcher in selector.Matchers)
        {
            var isName = matcher.Name == Labels.MetricName && matcher.Type == MatchType.Equal && matcher.Value.Length > 0 && matcher.Value == selector.Name;
            if (!isName)
            {
                matchers.Add(matcher.ToString());
            }
        }

        if (matchers.Count > 0)
        {
            matchers.Sort(StringComparer.Ordinal);
            text.Append('{').AppendJoin(',', matchers).Append('}');
        }
    }

    private static void AppendMode(StringBuilder text, RangeMode mode) =>
        text.Append(mode switch { RangeMode.Anchored => " anchored", RangeMode.Smoothed => " smoothed", _ => "" });

    private static void AppendAt(StringBuilder text, AtModifier at) => text.Append(at.Kind switch
    {
        AtKind.Timestamp => " @ " + GoNumber.Fixed(at.TimeMs / 1000.0, 3),
        AtKind.Start => " @ start()",
        AtKind.End => " @ end()",
        _ => "",
    });

    private static void AppendOffset(StringBuilder text, DurationValue offset)
    {
        if (offset.Expression is not null || offset.Ms != 0)
        {
            text.Append(" offset ").Append(Duration(offset));
        }
    }

    private static void AppendLabels(StringBuilder text, IReadOnlyList<string> labels)
    {
        for (var i = 0; i < labels.Count; i++)
        {
            text.Append(i == 0 ? "" : ", ").Append(LabelsText.IsClassicLabelName(labels[i]) ? labels[i] : GoText.Quote(labels[i]));
        }
    }

    private static string Duration(DurationValue value)
    {
        if (value.Expression is null)
        {
            return PromDuration.Format(value.Ms);
        }

        var text = new StringBuilder();
        AppendDuration(text, value.Expression);
        return text.ToString();
    }

    private static void AppendDuration(StringBuilder text, DurationExpr duration)
    {
        switch (duration)
        {
            case DurationNumber number:
                text.Append(Number(number.Seconds, number.IsDuration));
                break;
            case DurationCall call:
                text.Append(call.Name).Append("()");
                break;
            case DurationParen paren:
                text.Append('(');
                AppendDuration(text, paren.Inner);
                text.Append(')');
                break;
            case DurationOperation { Left: null } sign:
                text.Append(sign.Operator);
                AppendDuration(text, sign.Right);
                break;
            case DurationOperation { Operator: "min_of" or "max_of", Left: { } first } call:
                text.Append(call.Operator).Append('(');
                AppendDuration(text, first);
                text.Append(", ");
                AppendDuration(text, call.Right);
                text.Append(')');
                break;
            case DurationOperation { Left: { } left } operation:
                AppendDuration(text, left);
                text.Append(' ').Append(operation.Operator).Append(' ');
                AppendDuration(text, operation.Right);
                break;
            default:
                throw new ArgumentException($"no text for a {duration.GetType().Name}", nameof(duration));
        }
    }

    private static string Number(double value, bool isDuration) =>
        isDuration ? PromDuration.Format((long)(value * 1e9) / 1_000_000) : GoNumber.Plain(value);
}
