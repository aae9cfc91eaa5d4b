namespace Metrics.PromQL.Parsing;

/// <summary>Precedence climbing over the tokens of a query; the AST comes out unchecked for types.</summary>
/// <remarks>
/// The grammar is that of prometheus/prometheus promql/parser/generated_parser.y. There, a syntax error is told by the innermost rule
/// that is ready for one; here, <see cref="context"/> says which that is. The first error ends the parse.
/// </remarks>
internal sealed partial class ExprParser(string query, ParseOptions options)
{
    /// <summary>The deepest nesting of parentheses, calls and signs.</summary>
    internal const int MaxNesting = 200;

    /// <summary>The tallest tree: a chain of n binary operators is n high.</summary>
    internal const int MaxHeight = 2000;

    private readonly Lexer lexer = new(query);
    private Token current;
    private bool hasCurrent;
    private int lastEnd;
    private int nesting;
    private (string In, string Expected) context;

    /// <summary>Parses the whole text as one expression.</summary>
    public Expr ParseQuery()
    {
        if (Peek().Kind == TokenKind.Eof)
        {
            throw lexer.Error(default, "no expression found in input");
        }

        var expr = ParseBinary(0);
        if (Peek().Kind != TokenKind.Eof)
        {
            throw Unexpected();
        }

        RefuseTallTree(expr);
        return expr;
    }

    /// <summary>Parses the whole text as one vector selector.</summary>
    public VectorSelector ParseSelectorOnly()
    {
        if (Peek().Kind != TokenKind.LeftBrace && !Peek().Kind.IsMetricName())
        {
            throw Unexpected();
        }

        var selector = ParseVectorSelector();
        return Peek().Kind == TokenKind.Eof ? selector : throw Unexpected();
    }

    private Token Peek()
    {
        if (!hasCurrent)
        {
            current = lexer.Next();
            hasCurrent = true;
        }

        return current;
    }

    private Token Take()
    {
        var token = Peek();
        hasCurrent = false;
        lastEnd = token.End;
        return token;
    }

    private bool TryTake(TokenKind kind, out Token token)
    {
        token = Peek();
        if (token.Kind != kind)
        {
            return false;
        }

        Take();
        return true;
    }

    private Token Expect(TokenKind kind) => Peek().Kind == kind ? Take() : throw Unexpected();

    private PromQLParseException Unexpected() => Unexpected(context.In, context.Expected);

    private PromQLParseException Unexpected(string where, string expected)
    {
        var token = Peek();
        var message = "unexpected " + TokenKinds.Describe(token.Kind, lexer.TextOf(token));
        if (!string.IsNullOrEmpty(where))
        {
            message += " in " + where;
        }

        if (!string.IsNullOrEmpty(expected))
        {
            message += ", expected " + expected;
        }

        return lexer.Error(token.Position, message);
    }

    private void Enter(Token token)
    {
        if (++nesting > MaxNesting)
        {
            throw lexer.Error(token.Position, $"expression is nested too deeply, limit {MaxNesting}");
        }
    }

    private void Leave() => nesting--;

    /// <summary>An expression whose binary operators bind at least as tightly as <paramref name="minPrecedence"/>.</summary>
    private Expr ParseBinary(int minPrecedence)
    {
        Enter(Peek());
        var left = ParseSigned();
        while (true)
        {
            var token = Peek();
            var precedence = Precedence(token.Kind);
            if (precedence == 0 || precedence < minPrecedence)
            {
                break;
            }

            Take();
            var isBool = TryTake(TokenKind.Bool, out _);
            var matching = ParseMatching();
            var rightAssociative = token.Kind == TokenKind.Pow;
            var right = ParseBinary(rightAssociative ? precedence : precedence + 1);
            left = MakeBinary(OperatorOf(token.Kind), left, right, matching, isBool);
        }

        Leave();
        return left;
    }

    private Expr ParseSigned()
    {
        var token = Peek();
        if (token.Kind is not (TokenKind.Add or TokenKind.Sub))
        {
            return ParsePostfix();
        }

        Take();
        var isMinus = token.Kind == TokenKind.Sub;
        var operand = ParseBinary(PowPrecedence);
        var position = new PositionRange(token.Start, operand.Position.End);
        return operand is NumberLiteral number
            ? number with { Value = isMinus ? -number.Value : number.Value, Position = position }
            : new UnaryExpr(isMinus, operand, position);
    }

    private Expr ParsePrimary()
    {
        var token = Peek();
        switch (token.Kind)
        {
            case TokenKind.Number or TokenKind.Duration:
                return ParseNumber();
            case TokenKind.String:
                Take();
                return new StringLiteral(GoText.Unquote(lexer.BytesOf(token)), token.Position);
            case TokenKind.LeftParen:
                Take();
                var inner = ParseBinary(0);
                var close = Expect(TokenKind.RightParen);
                return new ParenExpr(inner, new PositionRange(token.Start, close.End));
            case TokenKind.LeftBrace:
                return ParseVectorSelector();
        }

        if (!token.Kind.IsMetricName())
        {
            throw Unexpected();
        }

        Take();
        var next = Peek().Kind;
        if (token.Kind.IsAggregator() && next is TokenKind.LeftParen or TokenKind.By or TokenKind.Without)
        {
            return ParseAggregate(token);
        }

        if (next == TokenKind.LeftParen && (token.Kind == TokenKind.Identifier || token.Kind.IsFunctionWord()))
        {
            return ParseCall(token);
        }

        return ParseVectorSelector(token);
    }

    private NumberLiteral ParseNumber()
    {
        var token = Take();
        return new NumberLiteral(NumberOf(token), token.Kind == TokenKind.Duration, token.Position);
    }

    private double NumberOf(Token token)
    {
        var text = lexer.TextOf(token);
        if (token.Kind == TokenKind.Duration)
        {
            return PromDuration.TryParse(text, out var ms, out var wrong) ? ms / 1000.0 : throw lexer.Error(token.Position, wrong);
        }

        return GoNumber.TryParse(text, out var value, out var error) ? value : throw lexer.Error(token.Position, "error parsing number: " + error);
    }

    private CallExpr ParseCall(Token name)
    {
        var arguments = ParseArguments();
        var text = lexer.TextOf(name);
        if (!FunctionSignatures.TryFind(text, out var function))
        {
            throw lexer.Error(name.Position, $"unknown function with name {GoText.Quote(text)}");
        }

        if (function.IsExperimental && !options.ExperimentalFunctions)
        {
            throw lexer.Error(name.Position, $"function {GoText.Quote(text)} is not enabled");
        }

        return new CallExpr(function, arguments, new PositionRange(name.Start, lastEnd));
    }

    private List<Expr> ParseArguments()
    {
        Expect(TokenKind.LeftParen);
        var arguments = new List<Expr>();
        if (TryTake(TokenKind.RightParen, out _))
        {
            return arguments;
        }

        while (true)
        {
            arguments.Add(ParseBinary(0));
            if (!TryTake(TokenKind.Comma, out var comma))
            {
                break;
            }

            if (!Peek().Kind.StartsExpression())
            {
                throw lexer.Error(comma.Position, "trailing commas not allowed in function call args");
            }
        }

        Expect(TokenKind.RightParen);
        return arguments;
    }

    private static int Height(Expr root)
    {
        // Without recursion, because this is what proves that recursion is safe.
        var height = 0;
        var open = new Stack<(Expr Node, int Depth)>();
        open.Push((root, 1));
        while (open.TryPop(out var top))
        {
            height = Math.Max(height, top.Depth);
            switch (top.Node)
            {
                case BinaryExpr binary:
                    open.Push((binary.Left, top.Depth + 1));
                    open.Push((binary.Right, top.Depth + 1));
                    break;
                case CallExpr call:
                    foreach (var argument in call.Arguments)
                    {
                        open.Push((argument, top.Depth + 1));
                    }

                    break;
                case AggregateExpr aggregate:
                    open.Push((aggregate.Inner, top.Depth + 1));
                    if (aggregate.Parameter is { } parameter)
                    {
                        open.Push((parameter, top.Depth + 1));
                    }

                    break;
                case ParenExpr paren: open.Push((paren.Inner, top.Depth + 1)); break;
                case UnaryExpr unary: open.Push((unary.Operand, top.Depth + 1)); break;
                case SubqueryExpr subquery: open.Push((subquery.Inner, top.Depth + 1)); break;
            }
        }

        return height;
    }

    private void RefuseTallTree(Expr expr)
    {
        if (Height(expr) > MaxHeight)
        {
            throw lexer.Error(expr.Position, $"expression is nested too deeply, limit {MaxHeight}");
        }
    }
}
