using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>Resolves durations that are written as expressions, once step and range of the query are known.</summary>
/// <remarks>Semantics of prometheus/prometheus promql/durations.go.</remarks>
internal static class DurationResolver
{
    // Durations are nanoseconds in an int64 there; beyond is out of range here too.
    private const double SecondsMax = 9223372036.854775808;

    public static long Resolve(DurationValue duration, bool mayBeNegative, TimeGrid query)
    {
        if (duration.Expression is not { } expression)
        {
            return duration.Ms;
        }

        var seconds = Evaluate(expression, query);
        if (!double.IsFinite(seconds))
        {
            throw Error(expression, "duration is NaN or infinite");
        }

        if (seconds <= 0 && !mayBeNegative)
        {
            throw Error(expression, "duration must be greater than 0");
        }

        if (Math.Abs(seconds) > SecondsMax)
        {
            throw Error(expression, "duration is out of range");
        }

        return (long)(seconds * 1000);
    }

    private static double Evaluate(DurationExpr expression, TimeGrid query)
    {
        switch (expression)
        {
            case DurationNumber number:
                return number.Seconds;
            case DurationParen paren:
                return Evaluate(paren.Inner, query);
            case DurationCall call:
                return call.Name == "step" ? query.StepMs / 1000.0 : (query.EndMs - query.StartMs) / 1000.0;
            case DurationOperation operation:
                var right = Evaluate(operation.Right, query);
                if (operation.Left is null)
                {
                    return operation.Operator == "-" ? -right : right;
                }

                var left = Evaluate(operation.Left, query);
                return operation.Operator switch
                {
                    "+" => left + right,
                    "-" => left - right,
                    "*" => left * right,
                    "/" => right == 0 ? throw Error(operation, "division by zero") : left / right,
                    "%" => right == 0 ? throw Error(operation, "modulo by zero") : left % right,
                    "^" => Math.Pow(left, right),
                    "min_of" => Math.Min(left, right),
                    "max_of" => Math.Max(left, right),
                    _ => throw Error(operation, $"unexpected duration expression operator {operation.Operator}"),
                };
            default:
                throw Error(expression, "unexpected duration expression");
        }
    }

    private static QueryException Error(DurationExpr at, string what) =>
        new(QueryErrorKind.Execution, $"{at.Position.Start}:{at.Position.End}: {what}");
}
