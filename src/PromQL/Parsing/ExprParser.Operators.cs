namespace Metrics.PromQL.Parsing;

/// <summary>Binary operators with their modifiers, and aggregations.</summary>
internal sealed partial class ExprParser
{
    private const int PowPrecedence = 6;

    private static int Precedence(TokenKind kind) => kind switch
    {
        TokenKind.Or => 1,
        TokenKind.And or TokenKind.Unless => 2,
        TokenKind.EqualEqual or TokenKind.NotEqual or TokenKind.Greater or TokenKind.GreaterEqual or TokenKind.Less or TokenKind.LessEqual
            or TokenKind.TrimUpper or TokenKind.TrimLower => 3,
        TokenKind.Add or TokenKind.Sub => 4,
        TokenKind.Mul or TokenKind.Div or TokenKind.Mod or TokenKind.Atan2 => 5,
        TokenKind.Pow => PowPrecedence,
        _ => 0,
    };

    private static BinaryOperator OperatorOf(TokenKind kind) => kind switch
    {
        TokenKind.Add => BinaryOperator.Add,
        TokenKind.Sub => BinaryOperator.Sub,
        TokenKind.Mul => BinaryOperator.Mul,
        TokenKind.Div => BinaryOperator.Div,
        TokenKind.Mod => BinaryOperator.Mod,
        TokenKind.Pow => BinaryOperator.Pow,
        TokenKind.Atan2 => BinaryOperator.Atan2,
        TokenKind.EqualEqual => BinaryOperator.Eql,
        TokenKind.NotEqual => BinaryOperator.Neq,
        TokenKind.Greater => BinaryOperator.Gtr,
        TokenKind.Less => BinaryOperator.Lss,
        TokenKind.GreaterEqual => BinaryOperator.Gte,
        TokenKind.LessEqual => BinaryOperator.Lte,
        TokenKind.And => BinaryOperator.And,
        TokenKind.Or => BinaryOperator.Or,
        TokenKind.Unless => BinaryOperator.Unless,
        TokenKind.TrimUpper => BinaryOperator.TrimUpper,
        TokenKind.TrimLower => BinaryOperator.TrimLower,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no binary operator"),
    };

    private static AggregateOperator AggregateOf(TokenKind kind) => kind switch
    {
        TokenKind.Sum => AggregateOperator.Sum,
        TokenKind.Avg => AggregateOperator.Avg,
        TokenKind.Count => AggregateOperator.Count,
        TokenKind.Min => AggregateOperator.Min,
        TokenKind.Max => AggregateOperator.Max,
        TokenKind.Group => AggregateOperator.Group,
        TokenKind.Stddev => AggregateOperator.Stddev,
        TokenKind.Stdvar => AggregateOperator.Stdvar,
        TokenKind.Topk => AggregateOperator.Topk,
        TokenKind.Bottomk => AggregateOperator.Bottomk,
        TokenKind.CountValues => AggregateOperator.CountValues,
        TokenKind.Quantile => AggregateOperator.Quantile,
        TokenKind.Limitk => AggregateOperator.Limitk,
        TokenKind.LimitRatio => AggregateOperator.LimitRatio,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no aggregation"),
    };

    /// <summary>What follows the operator and <c>bool</c>: on/ignoring, group_left/right, fills; null when there is none of it.</summary>
    private VectorMatching? ParseMatching()
    {
        var matching = new VectorMatching(MatchCardinality.OneToOne, [], false, [], null, null);
        var any = false;
        if (Peek().Kind is TokenKind.On or TokenKind.Ignoring)
        {
            any = true;
            var on = Take().Kind == TokenKind.On;
            matching = matching with { On = on, MatchingLabels = ParseGroupingLabels() };
            if (Peek().Kind is TokenKind.GroupLeft or TokenKind.GroupRight)
            {
                var card = Take().Kind == TokenKind.GroupLeft ? MatchCardinality.ManyToOne : MatchCardinality.OneToMany;
                matching = matching with { Cardinality = card, Include = Peek().Kind == TokenKind.LeftParen ? ParseGroupingLabels() : [] };
            }
        }

        if (TryTake(TokenKind.Fill, out _))
        {
            var fill = ParseFillValue();
            return matching with { FillLeft = fill, FillRight = fill };
        }

        for (var i = 0; i < 2; i++)
        {
            if (matching.FillLeft is null && TryTake(TokenKind.FillLeft, out _))
            {
                matching = matching with { FillLeft = ParseFillValue() };
                any = true;
            }
            else if (matching.FillRight is null && TryTake(TokenKind.FillRight, out _))
            {
                matching = matching with { FillRight = ParseFillValue() };
                any = true;
            }
        }

        return any ? matching : null;
    }

    private double ParseFillValue()
    {
        Expect(TokenKind.LeftParen);
        var sign = 1.0;
        if (Peek().Kind is TokenKind.Add or TokenKind.Sub)
        {
            sign = Take().Kind == TokenKind.Sub ? -1 : 1;
        }

        if (Peek().Kind is not (TokenKind.Number or TokenKind.Duration))
        {
            throw Unexpected();
        }

        var value = sign * NumberOf(Take());
        Expect(TokenKind.RightParen);
        return value;
    }

    private BinaryExpr MakeBinary(BinaryOperator op, Expr left, Expr right, VectorMatching? matching, bool isBool)
    {
        var position = new PositionRange(left.Position.Start, right.Position.End);
        if (!options.FillModifiers && (matching?.FillLeft is not null || matching?.FillRight is not null))
        {
            throw lexer.Error(position, "binop fill modifiers are experimental and not enabled");
        }

        // Modifiers stay on whatever they were written; the type checker takes them off, or complains.
        if (matching is null && left.Type == ValueType.Vector && right.Type == ValueType.Vector)
        {
            matching = new VectorMatching(MatchCardinality.OneToOne, [], false, [], null, null);
        }

        if (matching?.Cardinality == MatchCardinality.OneToOne && op is BinaryOperator.And or BinaryOperator.Or or BinaryOperator.Unless)
        {
            matching = matching! with { Cardinality = MatchCardinality.ManyToMany };
        }

        return new BinaryExpr(op, left, right, matching, isBool, position);
    }

    private AggregateExpr ParseAggregate(Token op)
    {
        var outer = context;
        context = ("aggregation", "");
        IReadOnlyList<string> grouping = [];
        var without = false;
        var before = Peek().Kind is TokenKind.By or TokenKind.Without;
        if (before)
        {
            without = Take().Kind == TokenKind.Without;
            grouping = ParseGroupingLabels();
        }

        var arguments = ParseArguments();
        var end = lastEnd;
        if (!before && Peek().Kind is TokenKind.By or TokenKind.Without)
        {
            without = Take().Kind == TokenKind.Without;
            grouping = ParseGroupingLabels();
            end = lastEnd;
        }

        context = outer;
        return MakeAggregate(op, arguments, grouping, without, new PositionRange(op.Start, end));
    }

    private AggregateExpr MakeAggregate(Token token, List<Expr> arguments, IReadOnlyList<string> grouping, bool without, PositionRange position)
    {
        var op = AggregateOf(token.Kind);
        if (arguments.Count == 0)
        {
            throw lexer.Error(position, "no arguments for aggregate expression provided");
        }

        if (op is AggregateOperator.Limitk or AggregateOperator.LimitRatio && !options.ExperimentalFunctions)
        {
            throw lexer.Error(
                position, $"{Printer.NameOf(op)}() is experimental and must be enabled with --enable-feature=promql-experimental-functions");
        }

        var desired = Printer.HasParameter(op) ? 2 : 1;
        if (arguments.Count != desired)
        {
            throw lexer.Error(
                position, $"wrong number of arguments for aggregate expression provided, expected {desired}, got {arguments.Count}");
        }

        return new AggregateExpr(op, arguments[^1], desired == 2 ? arguments[0] : null, grouping, without, position);
    }

    private List<string> ParseGroupingLabels()
    {
        const string Where = "grouping opts";
        if (!TryTake(TokenKind.LeftParen, out _))
        {
            throw Unexpected(Where, "\"(\"");
        }

        var labels = new List<string>();
        while (!TryTake(TokenKind.RightParen, out _))
        {
            var token = Peek();
            if (token.Kind == TokenKind.String)
            {
                Take();
                labels.Add(CheckedLabel(token, GoText.Unquote(lexer.BytesOf(token))));
            }
            else if (token.Kind.IsLabelName())
            {
                Take();
                labels.Add(CheckedLabel(token, lexer.TextOf(token)));
            }
            else
            {
                throw Unexpected(Where, "label");
            }

            if (!TryTake(TokenKind.Comma, out _) && Peek().Kind != TokenKind.RightParen)
            {
                throw Unexpected(Where, "\",\" or \")\"");
            }
        }

        return labels;
    }

    private string CheckedLabel(Token token, string label) =>
        label.Length > 0 ? label : throw lexer.Error(token.Position, $"invalid label name for grouping: {GoText.Quote(label)}");
}
