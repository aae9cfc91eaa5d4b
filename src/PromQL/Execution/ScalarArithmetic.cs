using System.Runtime.CompilerServices;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Execution;

/// <summary>Binary operators on two numbers.</summary>
internal static class ScalarArithmetic
{
    /// <summary>The value of an operation between scalars; comparisons give 1 or 0.</summary>
    public static double Compute(BinaryOperator op, double left, double right) => op switch
    {
        BinaryOperator.Add => left + right,
        BinaryOperator.Sub => left - right,
        BinaryOperator.Mul => left * right,
        BinaryOperator.Div => left / right,
        BinaryOperator.Mod => left % right,
        BinaryOperator.Pow => Math.Pow(left, right),
        BinaryOperator.Atan2 => Math.Atan2(left, right),
        _ => Compare(op, left, right) ? 1 : 0,
    };

    /// <summary>True when the comparison holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Compare(BinaryOperator op, double left, double right) => op switch
    {
        BinaryOperator.Eql => left == right,
        BinaryOperator.Neq => left != right,
        BinaryOperator.Gtr => left > right,
        BinaryOperator.Lss => left < right,
        BinaryOperator.Gte => left >= right,
        BinaryOperator.Lte => left <= right,
        _ => throw new QueryException(QueryErrorKind.Internal, $"operator {op} not allowed for scalar operations"),
    };
}
