using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>What kind of binary operator one is.</summary>
internal static class OperatorKinds
{
    /// <summary>True for <c>== != &gt; &lt; &gt;= &lt;=</c>.</summary>
    public static bool IsComparison(BinaryOperator op) => op is >= BinaryOperator.Eql and <= BinaryOperator.Lte;

    /// <summary>True for <c>and or unless</c>.</summary>
    public static bool IsSet(BinaryOperator op) => op is BinaryOperator.And or BinaryOperator.Or or BinaryOperator.Unless;

    /// <summary>True when the result means something else than the operand, so that it loses its name.</summary>
    public static bool ChangesMeaning(BinaryOperator op) =>
        op is BinaryOperator.Add or BinaryOperator.Sub or BinaryOperator.Mul or BinaryOperator.Div or BinaryOperator.Mod or BinaryOperator.Pow or BinaryOperator.Atan2;
}
