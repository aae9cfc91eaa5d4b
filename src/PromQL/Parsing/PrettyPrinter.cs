using System.Text;

namespace Metrics.PromQL.Parsing;

/// <summary>Writes an expression over several indented lines where it would not fit on one, as Prometheus's <c>format_query</c> does.</summary>
/// <remarks>prometheus/prometheus promql/parser/prettier.go: a node is split when its one-line text exceeds 100 bytes.</remarks>
public static class PrettyPrinter
{
    private const int MaxLineBytes = 100;

    /// <summary>The formatted text of an expression.</summary>
    public static string Print(Expr expr) => Pretty(expr, 0);

    private static string Pretty(Expr expr, int level)
    {
        var indent = Indent(level);
        switch (expr)
        {
            case UnaryExpr unary:
                return $"{indent}{(unary.IsMinus ? '-' : '+')}{Pretty(unary.Operand, level).Trim()}";
            case SubqueryExpr subquery:
                var line = Printer.Print(subquery);
                return Fits(line) ? line : Pretty(subquery.Inner, level) + Built(text => Printer.AppendSubquerySuffix(text, subquery));
        }

        var whole = Printer.Print(expr);
        if (Fits(whole))
        {
            return indent + whole;
        }

        switch (expr)
        {
            case AggregateExpr aggregate:
                var head = Built(text => Printer.AppendAggregateHead(text, aggregate));
                var parameter = aggregate.Parameter is { } p ? Pretty(p, level + 1) + ",\n" : "";
                return $"{indent}{head}(\n{parameter}{Pretty(aggregate.Inner, level + 1)}\n{indent})";
            case BinaryExpr binary:
                var op = Built(text => Printer.AppendOperator(text, binary));
                return $"{Pretty(binary.Left, level + 1)}\n{indent}{op}\n{Pretty(binary.Right, level + 1)}";
            case CallExpr call:
                var arguments = string.Join(",\n", call.Arguments.Select(a => Pretty(a, level + 1)));
                return $"{indent}{call.Function.Name}(\n{arguments}\n{indent})";
            case ParenExpr paren:
                return $"{indent}(\n{Pretty(paren.Inner, level + 1)}\n{indent})";
            default:
                return indent + whole;
        }
    }

    private static bool Fits(string line) => Encoding.UTF8.GetByteCount(line) <= MaxLineBytes;

    private static string Indent(int level) => new(' ', 2 * level);

    private static string Built(Action<StringBuilder> write)
    {
        var text = new StringBuilder();
        write(text);
        return text.ToString();
    }
}
