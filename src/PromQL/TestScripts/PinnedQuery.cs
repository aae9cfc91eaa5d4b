using System.Collections.Frozen;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.TestScripts;

/// <summary>Pins a query to one time with <c>@</c>, so that it answers the same whenever it is evaluated.</summary>
internal static class PinnedQuery
{
    private static readonly FrozenSet<string> timeDependent = new[]
    {
        "days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year", "time", "timestamp", "predict_linear",
        "start", "end", "step", "range",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>True when a function in the query looks at the evaluation time.</summary>
    public static bool DependsOnTime(Expr expr) => expr switch
    {
        CallExpr call => timeDependent.Contains(call.Function.Name) || call.Arguments.Any(DependsOnTime),
        BinaryExpr binary => DependsOnTime(binary.Left) || DependsOnTime(binary.Right),
        AggregateExpr aggregate => DependsOnTime(aggregate.Inner) || (aggregate.Parameter is { } parameter && DependsOnTime(parameter)),
        ParenExpr paren => DependsOnTime(paren.Inner),
        UnaryExpr unary => DependsOnTime(unary.Operand),
        SubqueryExpr subquery => DependsOnTime(subquery.Inner),
        _ => false,
    };

    /// <summary>The query with <c>@</c> on every selector and outermost subquery that has none.</summary>
    public static Expr Pin(Expr expr, long timeMs) => expr switch
    {
        CallExpr call => call with { Arguments = [.. call.Arguments.Select((a, i) => call.Function.Name == "info" && i == 1 ? a : Pin(a, timeMs))] },
        BinaryExpr binary => binary with { Left = Pin(binary.Left, timeMs), Right = Pin(binary.Right, timeMs) },
        AggregateExpr aggregate => aggregate with
        {
            Inner = Pin(aggregate.Inner, timeMs),
            Parameter = aggregate.Parameter is { } parameter ? Pin(parameter, timeMs) : null,
        },
        ParenExpr paren => paren with { Inner = Pin(paren.Inner, timeMs) },
        UnaryExpr unary => unary with { Operand = Pin(unary.Operand, timeMs) },
        SubqueryExpr subquery => subquery with { At = Pinned(subquery.At, timeMs) },
        MatrixSelector matrix => matrix with { Selector = matrix.Selector with { At = Pinned(matrix.Selector.At, timeMs) } },
        VectorSelector vector => vector with { At = Pinned(vector.At, timeMs) },
        _ => expr,
    };

    private static AtModifier Pinned(AtModifier at, long timeMs) => at.Kind == AtKind.None ? new AtModifier(AtKind.Timestamp, timeMs) : at;
}
