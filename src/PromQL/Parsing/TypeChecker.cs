using Metrics.Model;

namespace Metrics.PromQL.Parsing;

/// <summary>Checks the types of a parsed query and takes matching modifiers off where they mean nothing.</summary>
/// <remarks>Order of the checks and wording are those of checkAST in prometheus/prometheus promql/parser/parse.go; the first error ends it.</remarks>
internal sealed class TypeChecker(string query)
{
    private readonly Lexer lexer = new(query);

    /// <summary>Returns the same tree, or one that differs in removed matchings.</summary>
    /// <exception cref="PromQLParseException">A type is wrong.</exception>
    public Expr Check(Expr node) => node switch
    {
        AggregateExpr aggregate => CheckAggregate(aggregate),
        BinaryExpr binary => CheckBinary(binary),
        CallExpr call => CheckCall(call),
        ParenExpr paren => Check(paren.Inner) is var inner && ReferenceEquals(inner, paren.Inner) ? paren : paren with { Inner = inner },
        UnaryExpr unary => CheckUnary(unary),
        SubqueryExpr subquery => CheckSubquery(subquery),
        MatrixSelector matrix => CheckMatrix(matrix),
        VectorSelector vector => CheckVector(vector, mayMatchEmpty: false),
        _ => node,
    };

    private MatrixSelector CheckMatrix(MatrixSelector matrix)
    {
        CheckVector(matrix.Selector, mayMatchEmpty: false);
        return matrix;
    }

    private Expr Expect(Expr node, ValueType want, string where)
    {
        var check = Check(node);
        return check.Type == want
            ? check
            : throw lexer.Error(node.Position, $"expected type {Documented(want)} in {where}, got {Documented(check.Type)}");
    }

    private AggregateExpr CheckAggregate(AggregateExpr node)
    {
        var inner = Expect(node.Inner, ValueType.Vector, "aggregation expression");
        var parameter = node.Parameter;
        if (parameter is not null)
        {
            var want = node.Operator == AggregateOperator.CountValues ? ValueType.String : ValueType.Scalar;
            parameter = Expect(parameter, want, "aggregation parameter");
        }

        return ReferenceEquals(inner, node.Inner) && ReferenceEquals(parameter, node.Parameter) ? node : node with { Inner = inner, Parameter = parameter };
    }

    private BinaryExpr CheckBinary(BinaryExpr node)
    {
        var left = Check(node.Left);
        var right = Check(node.Right);
        var isComparison = node.Operator is BinaryOperator.Eql or BinaryOperator.Neq or BinaryOperator.Gtr or BinaryOperator.Lss
            or BinaryOperator.Gte or BinaryOperator.Lte;
        if (node.ReturnBool && !isComparison)
        {
            throw lexer.Error(OperatorPosition(node), "bool modifier can only be used on comparison operators");
        }

        if (isComparison && !node.ReturnBool && left.Type == ValueType.Scalar && right.Type == ValueType.Scalar)
        {
            throw lexer.Error(OperatorPosition(node), "comparisons between scalars must use BOOL modifier");
        }

        RefuseLabelTwice(node);
        foreach (var side in (ReadOnlySpan<Expr>)[left, right])
        {
            if (side.Type is not (ValueType.Scalar or ValueType.Vector))
            {
                throw lexer.Error(side.Position, "binary expression must contain only scalar and instant vector types");
            }
        }

        var matching = CheckMatching(node, left.Type == ValueType.Vector && right.Type == ValueType.Vector);
        return ReferenceEquals(left, node.Left) && ReferenceEquals(right, node.Right) && ReferenceEquals(matching, node.Matching)
            ? node
            : node with { Left = left, Right = right, Matching = matching };
    }

    private void RefuseLabelTwice(BinaryExpr node)
    {
        if (node.Matching is not { On: true } matching)
        {
            return;
        }

        foreach (var label in matching.MatchingLabels)
        {
            if (matching.Include.Contains(label, StringComparer.Ordinal))
            {
                throw lexer.Error(OperatorPosition(node), $"label {GoText.Quote(label)} must not occur in ON and GROUP clause at once");
            }
        }
    }

    private VectorMatching? CheckMatching(BinaryExpr node, bool areVectors)
    {
        var isSet = node.Operator is BinaryOperator.And or BinaryOperator.Or or BinaryOperator.Unless;
        var matching = node.Matching;
        var fills = matching?.FillLeft is not null || matching?.FillRight is not null;
        if (!areVectors)
        {
            if (matching?.MatchingLabels.Count > 0)
            {
                throw lexer.Error(node.Position, "vector matching only allowed between instant vectors");
            }

            if (fills)
            {
                throw lexer.Error(node.Position, "filling in missing series only allowed between instant vectors");
            }

            return isSet
                ? throw lexer.Error(node.Position, $"set operator {GoText.Quote(Printer.NameOf(node.Operator))} not allowed in binary scalar expression")
                : null;
        }

        if (isSet && matching!.Cardinality != MatchCardinality.ManyToMany)
        {
            throw lexer.Error(node.Position, $"no grouping allowed for {GoText.Quote(Printer.NameOf(node.Operator))} operation");
        }

        return isSet && fills ? throw lexer.Error(node.Position, "filling in missing series not allowed for set operators") : matching;
    }

    private CallExpr CheckCall(CallExpr node)
    {
        var function = node.Function;
        var name = GoText.Quote(function.Name);
        var types = function.ArgumentTypes.Count;
        var given = node.Arguments.Count;
        if (function.Variadic == 0 && given != types)
        {
            throw lexer.Error(node.Position, $"expected {types} argument(s) in call to {name}, got {given}");
        }

        if (function.Variadic != 0 && given < types - 1)
        {
            throw lexer.Error(node.Position, $"expected at least {types - 1} argument(s) in call to {name}, got {given}");
        }

        if (function.Variadic > 0 && given > types - 1 + function.Variadic)
        {
            throw lexer.Error(node.Position, $"expected at most {types - 1 + function.Variadic} argument(s) in call to {name}, got {given}");
        }

        var isInfo = function.Name == "info";
        if (isInfo && given > 1)
        {
            CheckInfoSelector(node);
        }

        List<Expr>? changed = null;
        for (var i = 0; i < given; i++)
        {
            var argument = node.Arguments[i];
            var check = isInfo && i == 1 ? CheckVector((VectorSelector)argument, mayMatchEmpty: true) : Check(argument);
            var want = function.ArgumentTypes[Math.Min(i, types - 1)];
            if (check.Type != want)
            {
                throw lexer.Error(argument.Position, $"expected type {Documented(want)} in call to function {name}, got {Documented(check.Type)}");
            }

            if (!ReferenceEquals(check, argument))
            {
                changed ??= [.. node.Arguments];
                changed[i] = check;
            }
        }

        return changed is null ? node : node with { Arguments = changed };
    }

    private void CheckInfoSelector(CallExpr node)
    {
        var argument = node.Arguments[1];
        if (argument.Type != ValueType.Vector)
        {
            throw lexer.Error(node.Position, $"expected type instant vector in call to function \"info\", got {Documented(argument.Type)}");
        }

        if (argument is not VectorSelector selector)
        {
            throw lexer.Error(argument.Position, "expected label selectors only");
        }

        if (selector.Name is not null)
        {
            throw lexer.Error(argument.Position, "expected label selectors only, got vector selector instead");
        }
    }

    private UnaryExpr CheckUnary(UnaryExpr node)
    {
        var operand = Check(node.Operand);
        if (operand.Type is not (ValueType.Scalar or ValueType.Vector))
        {
            throw lexer.Error(
                node.Position, $"unary expression only allowed on expressions of type scalar or instant vector, got {GoText.Quote(Documented(operand.Type))}");
        }

        return ReferenceEquals(operand, node.Operand) ? node : node with { Operand = operand };
    }

    private SubqueryExpr CheckSubquery(SubqueryExpr node)
    {
        var inner = Check(node.Inner);
        if (inner.Type != ValueType.Vector)
        {
            throw lexer.Error(node.Position, $"subquery is only allowed on instant vector, got {Printer.NameOf(inner.Type)} instead");
        }

        return ReferenceEquals(inner, node.Inner) ? node : node with { Inner = inner };
    }

    private VectorSelector CheckVector(VectorSelector node, bool mayMatchEmpty)
    {
        if (node.Name is not null)
        {
            foreach (var matcher in node.Matchers.SkipLast(1))
            {
                if (matcher.Name == Labels.MetricName)
                {
                    throw lexer.Error(
                        node.Position, $"metric name must not be set twice: {GoText.Quote(node.Name)} or {GoText.Quote(matcher.Value)}");
                }
            }

            return node;
        }

        // A selector that an empty label set satisfies would select everything, which is mostly a slip.
        return mayMatchEmpty || node.Matchers.Any(m => !m.MatchesEmpty)
            ? node
            : throw lexer.Error(node.Position, "vector selector must contain at least one non-empty matcher");
    }

    private PositionRange OperatorPosition(BinaryExpr node) => new(lexer.SkipBlanks(node.Left.Position.End), node.Right.Position.Start);

    private static string Documented(ValueType type) => type switch
    {
        ValueType.Vector => "instant vector",
        ValueType.Matrix => "range vector",
        _ => Printer.NameOf(type),
    };
}
