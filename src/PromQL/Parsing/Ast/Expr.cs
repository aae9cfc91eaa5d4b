using Metrics.Model;

namespace Metrics.PromQL.Parsing;

/// <summary>A stretch of query text: UTF-8 byte offsets, start inclusive, end exclusive.</summary>
public readonly record struct PositionRange(int Start, int End);

/// <summary>What an expression evaluates to.</summary>
public enum ValueType
{
    /// <summary>No value; only in signatures.</summary>
    None,

    /// <summary>One number per step.</summary>
    Scalar,

    /// <summary>A string.</summary>
    String,

    /// <summary>One sample per series and step.</summary>
    Vector,

    /// <summary>A range of samples per series and step.</summary>
    Matrix,
}

/// <summary>A node of a parsed query. Nodes are immutable; rewrites make new ones.</summary>
/// <param name="Position">Where the node stands in the query text.</param>
public abstract record Expr(PositionRange Position)
{
    /// <summary>What the node evaluates to.</summary>
    public abstract ValueType Type { get; }
}

/// <summary>A number. <paramref name="IsDuration"/> when it was written as a duration, for printing.</summary>
public sealed record NumberLiteral(double Value, bool IsDuration, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Scalar;
}

/// <summary>A string.</summary>
public sealed record StringLiteral(string Value, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.String;
}

/// <summary>An expression in parentheses; kept so that printing is faithful.</summary>
public sealed record ParenExpr(Expr Inner, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => Inner.Type;
}

/// <summary>A sign before an expression.</summary>
public sealed record UnaryExpr(bool IsMinus, Expr Operand, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => Operand.Type;
}

/// <summary>The <c>@</c> modifier.</summary>
public enum AtKind
{
    /// <summary>No <c>@</c>.</summary>
    None,

    /// <summary><c>@ timestamp</c>.</summary>
    Timestamp,

    /// <summary><c>@ start()</c>.</summary>
    Start,

    /// <summary><c>@ end()</c>.</summary>
    End,
}

/// <summary>An <c>@</c> modifier; <paramref name="TimeMs"/> counts only for <see cref="AtKind.Timestamp"/>.</summary>
public readonly record struct AtModifier(AtKind Kind, long TimeMs);

/// <summary>A duration that is a constant, or an expression resolved when the query's range and step are known.</summary>
/// <param name="Ms">Milliseconds, when <paramref name="Expression"/> is null.</param>
/// <param name="Expression">The duration expression, or null.</param>
public sealed record DurationValue(long Ms, DurationExpr? Expression)
{
    /// <summary>Zero.</summary>
    public static readonly DurationValue Zero = new(0, null);
}

/// <summary>Arithmetic over durations, e.g. <c>[5m * 2]</c>, <c>step()</c>, <c>min_of(a, b)</c>.</summary>
public abstract record DurationExpr(PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Scalar;
}

/// <summary>A constant, in seconds, inside a duration expression.</summary>
public sealed record DurationNumber(double Seconds, bool IsDuration, PositionRange Position) : DurationExpr(Position);

/// <summary><c>step()</c> or <c>range()</c> (<paramref name="Name"/>) inside a duration expression.</summary>
public sealed record DurationCall(string Name, PositionRange Position) : DurationExpr(Position);

/// <summary>An operation inside a duration expression: <c>+ - * / % ^</c>, <c>min_of</c>, <c>max_of</c>; <paramref name="Left"/> is null for a sign.</summary>
public sealed record DurationOperation(string Operator, DurationExpr? Left, DurationExpr Right, PositionRange Position) : DurationExpr(Position);

/// <summary>Parentheses inside a duration expression.</summary>
public sealed record DurationParen(DurationExpr Inner, PositionRange Position) : DurationExpr(Position);

/// <summary>How a range selector treats its borders.</summary>
public enum RangeMode
{
    /// <summary>Prometheus's own.</summary>
    None,

    /// <summary><c>anchored</c>.</summary>
    Anchored,

    /// <summary><c>smoothed</c>.</summary>
    Smoothed,
}

/// <summary>An instant vector selector, or the selector inside a <see cref="MatrixSelector"/>.</summary>
/// <param name="Name">The metric name as written before the braces, or null.</param>
/// <param name="Matchers">All matchers, the name's included.</param>
/// <param name="Offset">The <c>offset</c>, which may be negative.</param>
/// <param name="At">The <c>@</c>.</param>
/// <param name="Mode">Anchored or smoothed.</param>
/// <param name="Position">Where it stands.</param>
public sealed record VectorSelector(
    string? Name, IReadOnlyList<Matcher> Matchers, DurationValue Offset, AtModifier At, RangeMode Mode, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Vector;
}

/// <summary>A range selector, e.g. <c>m[5m]</c>. Offset, <c>@</c> and mode are its vector selector's.</summary>
public sealed record MatrixSelector(VectorSelector Selector, DurationValue Range, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Matrix;
}

/// <summary>A subquery, e.g. <c>expr[1h:1m]</c>; <paramref name="Step"/> is null when the default is asked for.</summary>
public sealed record SubqueryExpr(
    Expr Inner, DurationValue Range, DurationValue? Step, DurationValue Offset, AtModifier At, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Matrix;
}

/// <summary>A function call.</summary>
public sealed record CallExpr(FunctionSignature Function, IReadOnlyList<Expr> Arguments, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => Function.ReturnType;
}

/// <summary>The signature of a function.</summary>
/// <param name="Name">The name.</param>
/// <param name="ArgumentTypes">The types of its arguments.</param>
/// <param name="Variadic">
/// 0: exactly these; n &gt; 0: from one fewer up to n - 1 more, the last type repeating; -1: the last may be left out or repeat without end.
/// </param>
/// <param name="ReturnType">What it gives.</param>
/// <param name="IsExperimental">True when it needs <c>promql-experimental-functions</c>.</param>
public sealed record FunctionSignature(string Name, IReadOnlyList<ValueType> ArgumentTypes, int Variadic, ValueType ReturnType, bool IsExperimental);

/// <summary>An aggregation.</summary>
public enum AggregateOperator
{
#pragma warning disable CS1591 // The members are PromQL's own words.
    Sum, Avg, Count, Min, Max, Group, Stddev, Stdvar, Topk, Bottomk, CountValues, Quantile, Limitk, LimitRatio,
#pragma warning restore CS1591
}

/// <summary>An aggregation over a vector.</summary>
/// <param name="Operator">Which.</param>
/// <param name="Inner">Over what.</param>
/// <param name="Parameter">The parameter of <c>topk</c>, <c>quantile</c> and so on, or null.</param>
/// <param name="Grouping">The labels named by <c>by</c> or <c>without</c>.</param>
/// <param name="Without">True for <c>without</c>.</param>
/// <param name="Position">Where it stands.</param>
public sealed record AggregateExpr(
    AggregateOperator Operator, Expr Inner, Expr? Parameter, IReadOnlyList<string> Grouping, bool Without, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Vector;
}

/// <summary>A binary operator.</summary>
public enum BinaryOperator
{
#pragma warning disable CS1591 // The members are PromQL's own words.
    Add, Sub, Mul, Div, Mod, Pow, Atan2, Eql, Neq, Gtr, Lss, Gte, Lte, And, Or, Unless, TrimUpper, TrimLower,
#pragma warning restore CS1591
}

/// <summary>How many series of one side match one of the other.</summary>
public enum MatchCardinality
{
    /// <summary>One to one.</summary>
    OneToOne,

    /// <summary><c>group_left</c>.</summary>
    ManyToOne,

    /// <summary><c>group_right</c>.</summary>
    OneToMany,

    /// <summary>Set operators.</summary>
    ManyToMany,
}

/// <summary>How the series of two vectors are matched.</summary>
/// <param name="Cardinality">How many to how many.</param>
/// <param name="MatchingLabels">The labels of <c>on</c> or <c>ignoring</c>.</param>
/// <param name="On">True for <c>on</c>.</param>
/// <param name="Include">The labels of <c>group_left</c>/<c>group_right</c>.</param>
/// <param name="FillLeft">The value that stands for a missing left side, or null.</param>
/// <param name="FillRight">The value that stands for a missing right side, or null.</param>
public sealed record VectorMatching(
    MatchCardinality Cardinality, IReadOnlyList<string> MatchingLabels, bool On, IReadOnlyList<string> Include, double? FillLeft, double? FillRight);

/// <summary>A binary operation; <paramref name="Matching"/> is null unless both sides are vectors.</summary>
public sealed record BinaryExpr(
    BinaryOperator Operator, Expr Left, Expr Right, VectorMatching? Matching, bool ReturnBool, PositionRange Position) : Expr(Position)
{
    /// <inheritdoc/>
    /// <remarks>Told once, when made, because chains of operators are long; a rewrite keeps the types of the sides.</remarks>
    public override ValueType Type { get; } = Left.Type == ValueType.Scalar && Right.Type == ValueType.Scalar ? ValueType.Scalar : ValueType.Vector;
}
