using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>Binary operators as they are written.</summary>
internal static class BinaryText
{
    public static string Of(BinaryOperator op) => op switch
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
        _ => op.ToString(),
    };

    /// <summary>True for <c>== != &gt; &lt; &gt;= &lt;=</c>.</summary>
    public static bool IsComparison(BinaryOperator op) => op is >= BinaryOperator.Eql and <= BinaryOperator.Lte;

    /// <summary>True for <c>and or unless</c>.</summary>
    public static bool IsSet(BinaryOperator op) => op is BinaryOperator.And or BinaryOperator.Or or BinaryOperator.Unless;

    /// <summary>True when the result means something else than the operand, so that it loses its name.</summary>
    public static bool ChangesMeaning(BinaryOperator op) =>
        op is BinaryOperator.Add or BinaryOperator.Sub or BinaryOperator.Mul or BinaryOperator.Div or BinaryOperator.Mod or BinaryOperator.Pow or BinaryOperator.Atan2;
}
