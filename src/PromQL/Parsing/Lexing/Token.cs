namespace Metrics.PromQL.Parsing;

/// <summary>What a token is. Keywords may also stand as metric or label names; the parser decides.</summary>
internal enum TokenKind
{
    Eof, Comma, Colon, Equal, Duration, Number, String, Identifier, MetricIdentifier,
    LeftBrace, RightBrace, LeftBracket, RightBracket, LeftParen, RightParen,

    // Operators.
    Add, Div, EqualEqual, EqualRegex, GreaterEqual, Greater, TrimUpper, TrimLower, And, Or, Less, LessEqual, Unless,
    Mod, Mul, NotEqual, NotEqualRegex, Pow, Sub, At, Atan2,

    // Aggregators.
    Avg, Bottomk, Count, CountValues, Group, Max, Min, Quantile, Stddev, Stdvar, Sum, Topk, Limitk, LimitRatio,

    // Keywords.
    Bool, By, GroupLeft, GroupRight, Fill, FillLeft, FillRight, Ignoring, Offset, Smoothed, Anchored, On, Without,

    // Words that are functions, too.
    Start, End, Step, Range, MaxOf, MinOf,
}

/// <summary>A token: its kind and where its text stands, in bytes.</summary>
internal readonly record struct Token(TokenKind Kind, int Start, int End)
{
    public PositionRange Position => new(Start, End);
}

/// <summary>Groups of tokens.</summary>
internal static class TokenKinds
{
    public static bool IsOperator(this TokenKind kind) => kind is >= TokenKind.Add and <= TokenKind.Atan2;

    public static bool IsAggregator(this TokenKind kind) => kind is >= TokenKind.Avg and <= TokenKind.LimitRatio;

    public static bool IsKeyword(this TokenKind kind) => kind is >= TokenKind.Bool and <= TokenKind.Without;

    public static bool IsFunctionWord(this TokenKind kind) => kind is >= TokenKind.Start and <= TokenKind.MinOf;

    /// <summary>True for what may stand where a metric name is expected.</summary>
    public static bool IsMetricName(this TokenKind kind) =>
        kind.IsAggregator() || kind.IsFunctionWord() || kind is TokenKind.Identifier or TokenKind.MetricIdentifier or TokenKind.And or TokenKind.Or
            or TokenKind.Unless or TokenKind.By or TokenKind.Without or TokenKind.Fill or TokenKind.FillLeft or TokenKind.FillRight
            or TokenKind.Offset or TokenKind.Anchored or TokenKind.Smoothed;

    /// <summary>True for what may stand, unquoted, where a label name is expected in a grouping.</summary>
    public static bool IsLabelName(this TokenKind kind) =>
        kind.IsMetricName() || kind is TokenKind.Bool or TokenKind.GroupLeft or TokenKind.GroupRight or TokenKind.Ignoring or TokenKind.On
            or TokenKind.Atan2;

    /// <summary>True for what can begin an expression.</summary>
    public static bool StartsExpression(this TokenKind kind) =>
        kind.IsMetricName() || kind is TokenKind.Number or TokenKind.Duration or TokenKind.String or TokenKind.LeftParen or TokenKind.LeftBrace
            or TokenKind.Add or TokenKind.Sub;

    /// <summary>How Prometheus names a token in "unexpected ...".</summary>
    public static string Describe(TokenKind kind, string text)
    {
        if (kind == TokenKind.Eof)
        {
            return "end of input";
        }

        if (kind.IsKeyword())
        {
            return $"<{text}>";
        }

        if (kind.IsOperator())
        {
            return $"<op:{text}>";
        }

        if (kind.IsAggregator())
        {
            return $"<aggr:{text}>";
        }

        return kind switch
        {
            TokenKind.Identifier => "identifier " + GoText.Quote(text),
            TokenKind.MetricIdentifier => "metric identifier " + GoText.Quote(text),
            TokenKind.String => "string " + Shortened(text),
            TokenKind.Number => "number " + Shortened(text),
            TokenKind.Duration => "duration " + Shortened(text),
            _ => Shortened(text),
        };
    }

    private static string Shortened(string text)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(text) <= 10)
        {
            return GoText.Quote(text);
        }

        var runes = text.EnumerateRunes().Take(10);
        return GoText.Quote(string.Concat(runes.Select(r => r.ToString()))) + "...";
    }
}
