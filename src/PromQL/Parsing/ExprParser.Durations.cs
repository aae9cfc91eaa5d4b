namespace Metrics.PromQL.Parsing;

/// <summary>Durations, constant or computed, in brackets and after <c>offset</c>.</summary>
internal sealed partial class ExprParser
{
    // What 64 bits of nanoseconds hold, in seconds.
    private const double MaxSeconds = 9223372036.854775807;

    private DurationValue ParsePositiveDuration()
    {
        var duration = ParseDurationBinary(0);
        if (duration is DurationNumber { Seconds: <= 0 })
        {
            throw lexer.Error(duration.Position, "duration must be greater than 0");
        }

        return ValueOf(duration);
    }

    /// <summary>
    /// After <c>offset</c> a number, a call or a sign before one of these ends the duration, so that <c>a offset 5m + b</c> adds b; only what begins with
    /// a parenthesis goes on as arithmetic.
    /// </summary>
    private DurationValue ParseOffsetDuration()
    {
        var token = Peek();
        if (token.Kind is TokenKind.Add or TokenKind.Sub)
        {
            Take();
            if (Peek().Kind is TokenKind.Add or TokenKind.Sub)
            {
                var operand = ParseDurationBinary(PowPrecedence);
                return ValueOf(ParseDurationTail(Signed(token, operand), 0));
            }

            return ValueOf(Signed(token, ParseDurationPrimary()));
        }

        return ValueOf(token.Kind == TokenKind.LeftParen ? ParseDurationBinary(0) : ParseDurationPrimary());
    }

    private static DurationValue ValueOf(DurationExpr duration) => duration is DurationNumber number
        ? new DurationValue((long)Math.Round(number.Seconds * 1e9, MidpointRounding.AwayFromZero) / 1_000_000, null)
        : new DurationValue(0, duration);

    private DurationExpr ParseDurationBinary(int minPrecedence)
    {
        Enter(Peek());
        var token = Peek();
        DurationExpr left;
        if (token.Kind is TokenKind.Add or TokenKind.Sub)
        {
            Take();
            left = Signed(token, ParseDurationBinary(PowPrecedence));
        }
        else
        {
            left = ParseDurationPrimary();
        }

        left = ParseDurationTail(left, minPrecedence);
        Leave();
        return left;
    }

    private DurationExpr ParseDurationTail(DurationExpr left, int minPrecedence)
    {
        for (var count = 0; ; count++)
        {
            var token = Peek();
            if (token.Kind is not (TokenKind.Add or TokenKind.Sub or TokenKind.Mul or TokenKind.Div or TokenKind.Mod or TokenKind.Pow)
                || Precedence(token.Kind) < minPrecedence)
            {
                return left;
            }

            if (count > MaxNesting)
            {
                throw lexer.Error(token.Position, $"expression is nested too deeply, limit {MaxNesting}");
            }

            Take();
            var precedence = Precedence(token.Kind);
            var right = ParseDurationBinary(token.Kind == TokenKind.Pow ? precedence : precedence + 1);
            RequireDurationExpressions(left);
            if (right is DurationNumber { Seconds: 0 } && token.Kind is TokenKind.Div or TokenKind.Mod)
            {
                throw lexer.Error(token.Position, token.Kind == TokenKind.Div ? "division by zero" : "modulo by zero");
            }

            left = new DurationOperation(lexer.TextOf(token), left, right, new PositionRange(left.Position.Start, right.Position.End));
        }
    }

    private DurationExpr ParseDurationPrimary()
    {
        var token = Peek();
        switch (token.Kind)
        {
            case TokenKind.Number or TokenKind.Duration:
                Take();
                return InRange(new DurationNumber(NumberOf(token), token.Kind == TokenKind.Duration, token.Position), token);
            case TokenKind.Step or TokenKind.Range:
                Take();
                Expect(TokenKind.LeftParen);
                Expect(TokenKind.RightParen);
                return Experimental(new DurationCall(token.Kind == TokenKind.Step ? "step" : "range", new PositionRange(token.Start, lastEnd)));
            case TokenKind.MaxOf or TokenKind.MinOf:
                Take();
                Expect(TokenKind.LeftParen);
                var left = ParseDurationBinary(0);
                Expect(TokenKind.Comma);
                var right = ParseDurationBinary(0);
                Expect(TokenKind.RightParen);
                var name = token.Kind == TokenKind.MaxOf ? "max_of" : "min_of";
                return Experimental(new DurationOperation(name, left, right, new PositionRange(token.Start, lastEnd)));
            case TokenKind.LeftParen:
                Take();
                var inner = ParseDurationBinary(0);
                Expect(TokenKind.RightParen);
                RequireDurationExpressions(inner);

                // Parentheses are marked once, however many there are.
                return inner is DurationParen ? inner : new DurationParen(inner, new PositionRange(token.Start, lastEnd));
            default:
                throw Unexpected();
        }
    }

    private DurationExpr Signed(Token sign, DurationExpr operand)
    {
        var isMinus = sign.Kind == TokenKind.Sub;
        var position = new PositionRange(sign.Start, operand.Position.End);
        if (operand is DurationNumber number)
        {
            return InRange(number with { Seconds = isMinus ? -number.Seconds : number.Seconds, Position = position }, sign);
        }

        return isMinus ? new DurationOperation("-", null, operand, position) : operand;
    }

    private DurationNumber InRange(DurationNumber number, Token blamed) =>
        number.Seconds is > MaxSeconds or < -MaxSeconds ? throw lexer.Error(blamed.Position, "duration out of range") : number;

    private DurationExpr Experimental(DurationExpr duration)
    {
        RequireDurationExpressions(duration);
        return duration;
    }

    private void RequireDurationExpressions(DurationExpr duration)
    {
        if (!options.DurationExpressions)
        {
            throw lexer.Error(duration.Position, "experimental duration expression is not enabled");
        }
    }
}
