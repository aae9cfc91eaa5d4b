using System.Collections.Frozen;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>Tells which parts of a query give the same at every step because <c>@</c> fixes all their selectors; they are evaluated once.</summary>
internal static class StepInvariance
{
    // Their result moves with the step even where their arguments do not.
    private static readonly FrozenSet<string> unsafeFunctions = new[]
    {
        "days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year", "predict_linear", "time", "timestamp",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>True when the part can be evaluated at one instant.</summary>
    public static bool Holds(Expr expression) => expression switch
    {
        NumberLiteral or StringLiteral => true,
        VectorSelector selector => selector.At.Kind != AtKind.None,
        MatrixSelector matrix => Holds(matrix.Selector),
        SubqueryExpr subquery => subquery.At.Kind != AtKind.None,
        ParenExpr paren => Holds(paren.Inner),
        UnaryExpr unary => Holds(unary.Operand),
        AggregateExpr aggregate => Holds(aggregate.Inner),
        BinaryExpr binary => Holds(binary.Left) && Holds(binary.Right),
        CallExpr call => CallHolds(call),
        _ => false,
    };

    private static bool CallHolds(CallExpr call)
    {
        var name = call.Function.Name;
        if (name is "start" or "end" or "step" or "range")
        {
            return true;
        }

        if (name == "timestamp" && call.Arguments is [var only] && Unparenthesised(only) is VectorSelector { At.Kind: not AtKind.None })
        {
            return true;
        }

        if (unsafeFunctions.Contains(name))
        {
            return false;
        }

        foreach (var argument in call.Arguments)
        {
            if (!Holds(argument))
            {
                return false;
            }
        }

        return true;
    }

    internal static Expr Unparenthesised(Expr expression)
    {
        while (expression is ParenExpr paren)
        {
            expression = paren.Inner;
        }

        return expression;
    }
}
