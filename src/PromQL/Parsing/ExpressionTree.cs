using Metrics.Model;

namespace Metrics.PromQL.Parsing;

/// <summary>Walks parsed queries.</summary>
public static class ExpressionTree
{
    /// <summary>The matchers of every selector in a query, from left to right.</summary>
    public static IReadOnlyList<IReadOnlyList<Matcher>> Selectors(Expr query)
    {
        var found = new List<IReadOnlyList<Matcher>>();
        Collect(query, found);
        return found;
    }

    /// <summary>The expressions right below one.</summary>
    internal static IEnumerable<Expr> Children(Expr expression) => expression switch
    {
        ParenExpr paren => [paren.Inner],
        UnaryExpr unary => [unary.Operand],
        MatrixSelector matrix => [matrix.Selector],
        SubqueryExpr subquery => [subquery.Inner],
        AggregateExpr aggregate => aggregate.Parameter is null ? [aggregate.Inner] : [aggregate.Inner, aggregate.Parameter],
        BinaryExpr binary => [binary.Left, binary.Right],
        CallExpr call => call.Arguments,
        _ => [],
    };

    private static void Collect(Expr expression, List<IReadOnlyList<Matcher>> into)
    {
        if (expression is VectorSelector selector)
        {
            into.Add(selector.Matchers);
        }

        foreach (var child in Children(expression))
        {
            Collect(child, into);
        }
    }
}
