using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.PromQL.Parsing;

/// <summary>Selectors, and what may follow any expression: ranges, subqueries, <c>offset</c>, <c>@</c>, <c>anchored</c>, <c>smoothed</c>.</summary>
internal sealed partial class ExprParser
{
    private const string NeedsSelector = "must be preceded by an instant vector selector or range vector selector or a subquery";

    private Expr ParsePostfix()
    {
        var expr = ParsePrimary();
        for (var count = 0; ; count++)
        {
            var token = Peek();
            if (count > MaxNesting)
            {
                throw lexer.Error(token.Position, $"expression is nested too deeply, limit {MaxNesting}");
            }

            switch (token.Kind)
            {
                case TokenKind.LeftBracket: expr = ParseRange(expr); break;
                case TokenKind.Offset: expr = ParseOffset(expr); break;
                case TokenKind.At: expr = ParseAt(expr); break;
                case TokenKind.Anchored or TokenKind.Smoothed: expr = ParseMode(expr); break;
                default: return expr;
            }
        }
    }

    private VectorSelector ParseVectorSelector() =>
        Peek().Kind == TokenKind.LeftBrace ? ParseMatchers(null, Peek().Start) : ParseVectorSelector(Take());

    private VectorSelector ParseVectorSelector(Token name) => ParseMatchers(lexer.TextOf(name), name.Start);

    private VectorSelector ParseMatchers(string? name, int start)
    {
        const string Where = "label matching";
        var matchers = new List<Matcher>();
        var end = lastEnd;
        if (TryTake(TokenKind.LeftBrace, out _))
        {
            while (!TryTake(TokenKind.RightBrace, out _))
            {
                matchers.Add(ParseMatcher());
                if (!TryTake(TokenKind.Comma, out _) && Peek().Kind != TokenKind.RightBrace)
                {
                    throw Unexpected(Where, "\",\" or \"}\"");
                }
            }

            end = lastEnd;
        }

        // The name comes last, as in the reference: printing and the check for a second name rely on it.
        if (name is not null)
        {
            matchers.Add(new Matcher(MatchType.Equal, Labels.MetricName, name));
        }

        return new VectorSelector(name, matchers, DurationValue.Zero, default, RangeMode.None, new PositionRange(start, end));
    }

    private Matcher ParseMatcher()
    {
        const string Where = "label matching";
        var label = Peek();
        if (label.Kind is not (TokenKind.Identifier or TokenKind.String))
        {
            throw Unexpected(Where, "identifier or \"}\"");
        }

        Take();
        var quoted = label.Kind == TokenKind.String;
        var name = quoted ? GoText.Unquote(lexer.BytesOf(label)) : lexer.TextOf(label);
        MatchType type;
        switch (Peek().Kind)
        {
            case TokenKind.Equal: type = MatchType.Equal; break;
            case TokenKind.NotEqual: type = MatchType.NotEqual; break;
            case TokenKind.EqualRegex: type = MatchType.Regex; break;
            case TokenKind.NotEqualRegex: type = MatchType.NotRegex; break;
            default:
                return quoted ? new Matcher(MatchType.Equal, Labels.MetricName, name) : throw Unexpected(Where, "label matching operator");
        }

        Take();
        var value = Peek();
        if (value.Kind != TokenKind.String)
        {
            throw Unexpected(Where, "string");
        }

        Take();
        try
        {
            return new Matcher(type, name, GoText.Unquote(lexer.BytesOf(value)));
        }
        catch (FormatException e)
        {
            throw lexer.Error(new PositionRange(label.Start, value.End), e.Message);
        }
    }

    private Expr ParseRange(Expr expr)
    {
        var outer = context;
        var open = Take();
        context = ("subquery or range selector", "number, duration, step(), or range()");
        var range = ParsePositiveDuration();
        if (TryTake(TokenKind.Colon, out _))
        {
            context = ("subquery selector", "number, duration, step(), range(), or \"]\"");
            DurationValue? step = null;
            if (Peek().Kind != TokenKind.RightBracket)
            {
                step = ParsePositiveDuration();
                context = ("subquery selector", "\"]\"");
            }

            var end = Expect(TokenKind.RightBracket).End;
            context = outer;
            return new SubqueryExpr(expr, range, step, DurationValue.Zero, default, new PositionRange(expr.Position.Start, end));
        }

        if (!TryTake(TokenKind.RightBracket, out var close))
        {
            throw Unexpected("subquery or range", "\":\" or \"]\"");
        }

        context = outer;
        var selector = expr as VectorSelector;
        var wrong = selector switch
        {
            null => "ranges only allowed for vector selectors",
            { Offset: { Ms: not 0 } or { Expression: not null } } => "no offset modifiers allowed before range",
            { At.Kind: not AtKind.None } => "no @ modifiers allowed before range",
            _ => null,
        };
        return wrong is null
            ? new MatrixSelector(selector!, range, new PositionRange(expr.Position.Start, close.End))
            : throw lexer.Error(new PositionRange(open.Start, close.End), wrong);
    }

    private Expr ParseOffset(Expr expr)
    {
        var outer = context;
        Take();
        context = ("offset", "number, duration, step(), or range()");
        var offset = ParseOffsetDuration();
        context = outer;
        var old = expr switch
        {
            VectorSelector vector => vector.Offset,
            MatrixSelector matrix => matrix.Selector.Offset,
            SubqueryExpr subquery => subquery.Offset,
            _ => throw lexer.Error(expr.Position, "offset modifier " + NeedsSelector),
        };
        if (old.Ms != 0 || old.Expression is not null)
        {
            throw lexer.Error(expr.Position, "offset may not be set multiple times");
        }

        var position = expr.Position with { End = lastEnd };
        return expr switch
        {
            VectorSelector vector => vector with { Offset = offset, Position = position },
            MatrixSelector matrix => matrix with { Selector = matrix.Selector with { Offset = offset }, Position = position },
            SubqueryExpr subquery => subquery with { Offset = offset, Position = position },
            _ => expr,
        };
    }

    private Expr ParseAt(Expr expr)
    {
        var outer = context;
        Take();
        context = ("@", "timestamp");
        AtModifier at;
        if (Peek().Kind is TokenKind.Start or TokenKind.End)
        {
            at = new AtModifier(Take().Kind == TokenKind.Start ? AtKind.Start : AtKind.End, 0);
            Expect(TokenKind.LeftParen);
            Expect(TokenKind.RightParen);
        }
        else
        {
            at = new AtModifier(AtKind.Timestamp, ParseTimestamp(expr));
        }

        context = outer;
        var old = expr switch
        {
            VectorSelector vector => vector.At,
            MatrixSelector matrix => matrix.Selector.At,
            SubqueryExpr subquery => subquery.At,
            _ => throw lexer.Error(expr.Position, "@ modifier " + NeedsSelector),
        };
        if (old.Kind != AtKind.None)
        {
            throw lexer.Error(expr.Position, "@ <timestamp> may not be set multiple times");
        }

        var position = expr.Position with { End = lastEnd };
        return expr switch
        {
            VectorSelector vector => vector with { At = at, Position = position },
            MatrixSelector matrix => matrix with { Selector = matrix.Selector with { At = at }, Position = position },
            SubqueryExpr subquery => subquery with { At = at, Position = position },
            _ => expr,
        };
    }

    private long ParseTimestamp(Expr expr)
    {
        var sign = 1.0;
        if (Peek().Kind is TokenKind.Add or TokenKind.Sub)
        {
            sign = Take().Kind == TokenKind.Sub ? -1 : 1;
        }

        if (Peek().Kind is not (TokenKind.Number or TokenKind.Duration))
        {
            throw Unexpected();
        }

        var seconds = sign * NumberOf(Take());
        if (!double.IsFinite(seconds) || seconds >= long.MaxValue || seconds <= long.MinValue)
        {
            var shown = double.IsFinite(seconds) ? GoNumber.Fixed(seconds, 6) : GoNumber.Plain(seconds);
            throw lexer.Error(expr.Position, $"timestamp out of bounds for @ modifier: {shown}");
        }

        return (long)Math.Round(seconds * 1000, MidpointRounding.AwayFromZero);
    }

    private Expr ParseMode(Expr expr)
    {
        var mode = Take().Kind == TokenKind.Anchored ? RangeMode.Anchored : RangeMode.Smoothed;
        var word = mode == RangeMode.Anchored ? "anchored" : "smoothed";
        if (!options.ExtendedRangeSelectors)
        {
            throw lexer.Error(expr.Position, $"{word} modifier is experimental and not enabled");
        }

        var old = expr switch
        {
            VectorSelector vector => vector.Mode,
            MatrixSelector matrix => matrix.Selector.Mode,
            SubqueryExpr => throw lexer.Error(expr.Position, $"{word} modifier is not supported for subqueries"),
            _ => throw lexer.Error(expr.Position, $"{word} modifier not implemented"),
        };
        if (old != RangeMode.None && old != mode)
        {
            throw lexer.Error(expr.Position, "anchored and smoothed modifiers cannot be used together");
        }

        return expr switch
        {
            VectorSelector vector => vector with { Mode = mode },
            MatrixSelector matrix => matrix with { Selector = matrix.Selector with { Mode = mode } },
            _ => expr,
        };
    }
}
