using System.Collections.Frozen;
using System.Text;

namespace Metrics.PromQL.Parsing;

/// <summary>Cuts query text into tokens, on demand, so that an error in the text is met only when the parser gets there.</summary>
/// <remarks>
/// Positions are UTF-8 byte offsets. The modes (statement, inside braces, inside brackets) and the texts of errors are those of
/// prometheus/prometheus promql/parser/lex.go, because clients show and tests compare them.
/// </remarks>
internal sealed partial class Lexer(string query)
{
    private const int EndOfText = -1;

    private static readonly FrozenDictionary<string, TokenKind> keywords = new Dictionary<string, TokenKind>(StringComparer.Ordinal)
    {
        ["and"] = TokenKind.And,
        ["or"] = TokenKind.Or,
        ["unless"] = TokenKind.Unless,
        ["atan2"] = TokenKind.Atan2,
        ["sum"] = TokenKind.Sum,
        ["avg"] = TokenKind.Avg,
        ["count"] = TokenKind.Count,
        ["min"] = TokenKind.Min,
        ["max"] = TokenKind.Max,
        ["group"] = TokenKind.Group,
        ["stddev"] = TokenKind.Stddev,
        ["stdvar"] = TokenKind.Stdvar,
        ["topk"] = TokenKind.Topk,
        ["bottomk"] = TokenKind.Bottomk,
        ["count_values"] = TokenKind.CountValues,
        ["quantile"] = TokenKind.Quantile,
        ["limitk"] = TokenKind.Limitk,
        ["limit_ratio"] = TokenKind.LimitRatio,
        ["offset"] = TokenKind.Offset,
        ["smoothed"] = TokenKind.Smoothed,
        ["anchored"] = TokenKind.Anchored,
        ["by"] = TokenKind.By,
        ["without"] = TokenKind.Without,
        ["on"] = TokenKind.On,
        ["ignoring"] = TokenKind.Ignoring,
        ["group_left"] = TokenKind.GroupLeft,
        ["group_right"] = TokenKind.GroupRight,
        ["fill"] = TokenKind.Fill,
        ["fill_left"] = TokenKind.FillLeft,
        ["fill_right"] = TokenKind.FillRight,
        ["bool"] = TokenKind.Bool,
        ["start"] = TokenKind.Start,
        ["end"] = TokenKind.End,
        ["step"] = TokenKind.Step,
        ["range"] = TokenKind.Range,
        ["max_of"] = TokenKind.MaxOf,
        ["min_of"] = TokenKind.MinOf,
        ["inf"] = TokenKind.Number,
        ["nan"] = TokenKind.Number,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private readonly byte[] text = Encoding.UTF8.GetBytes(query);

    // The token being read, and how far.
    private int start;
    private int at;

    // What encloses the cursor.
    private int parenDepth;
    private bool inBraces;
    private bool inBrackets;
    private bool inDuration;
    private bool sawColon;
    private bool sawDuration;

    /// <summary>The text of a token.</summary>
    public string TextOf(Token token) => Encoding.UTF8.GetString(text, token.Start, token.End - token.Start);

    /// <summary>The bytes of a token.</summary>
    public ReadOnlySpan<byte> BytesOf(Token token) => text.AsSpan(token.Start, token.End - token.Start);

    /// <summary>An error at a byte offset, worded as Prometheus does.</summary>
    public PromQLParseException Error(PositionRange position, string message) =>
        new($"{LineAndColumn(position.Start)}: parse error: {message}", position);

    /// <summary>The next token; comments and blanks are skipped. At the end, <see cref="TokenKind.Eof"/> again and again.</summary>
    /// <exception cref="PromQLParseException">No token can be made of the text at the cursor.</exception>
    public Token Next()
    {
        while (true)
        {
            start = at;
            var token = inBraces ? InBraces() : inDuration ? InDuration() : InStatement();
            if (token is { } found)
            {
                return found;
            }
        }
    }

    /// <summary>The first byte offset at or after <paramref name="from"/> that holds no blank.</summary>
    public int SkipBlanks(int from)
    {
        while (from < text.Length && IsBlank(text[from]))
        {
            from++;
        }

        return from;
    }

    private string LineAndColumn(int position)
    {
        if (text.Length == 0)
        {
            return "unknown position";
        }

        if (position < 0 || position > text.Length)
        {
            return "invalid position";
        }

        var before = text.AsSpan(0, position);
        return $"{before.Count((byte)'\n') + 1}:{position - before.LastIndexOf((byte)'\n')}";
    }

    private Token? InStatement()
    {
        var c = PeekRune(out var width);
        if (c == '#')
        {
            SkipComment();
            return null;
        }

        at += width;
        switch (c)
        {
            case EndOfText:
                if (parenDepth != 0)
                {
                    throw Fail("unclosed left parenthesis");
                }

                return inBrackets ? throw Fail("unclosed left bracket") : Make(TokenKind.Eof);
            case ',': return Make(TokenKind.Comma);
            case ' ' or '\t' or '\n' or '\r': return null;
            case '*': return Make(TokenKind.Mul);
            case '/': return Make(TokenKind.Div);
            case '%': return Make(TokenKind.Mod);
            case '+': return Make(TokenKind.Add);
            case '-': return Make(TokenKind.Sub);
            case '^': return Make(TokenKind.Pow);
            case '@': return Make(TokenKind.At);
            case '=': return EqualSign();
            case '!': return Bang();
            case '<': return Accept('=') ? Make(TokenKind.LessEqual) : Make(Accept('/') ? TokenKind.TrimUpper : TokenKind.Less);
            case '>': return Accept('=') ? Make(TokenKind.GreaterEqual) : Make(Accept('/') ? TokenKind.TrimLower : TokenKind.Greater);
            case '"' or '\'': return QuotedString(c);
            case '`': return RawString();
            case '(':
                parenDepth++;
                return Make(TokenKind.LeftParen);
            case ')': return CloseParen(c);
            case '{':
                inBraces = true;
                return Make(TokenKind.LeftBrace);
            case '[': return OpenBracket(c);
            case ']':
                if (!inBrackets)
                {
                    throw Fail($"unexpected right bracket {GoText.QuoteRune(c)}");
                }

                inBrackets = false;
                return Make(TokenKind.RightBracket);
        }

        if (IsDigit(c) || (c == '.' && IsDigit(PeekRune(out _))))
        {
            at = start;
            return NumberOrDuration();
        }

        if (IsAlpha(c) || c == ':')
        {
            return inBrackets ? WordInBrackets(c) : Word();
        }

        throw Fail($"unexpected character: {GoText.QuoteRune(c)}");
    }

    private Token? InDuration()
    {
        var c = PeekRune(out var width);
        at += width;
        switch (c)
        {
            case EndOfText: throw Fail("unexpected end of input in duration expression");
            case ']':
                inBrackets = inDuration = sawColon = false;
                return Make(TokenKind.RightBracket);
            case ':':
                start = at;
                if (!sawDuration || sawColon)
                {
                    throw Fail(sawDuration ? "unexpected repeated colon in duration expression" : "unexpected colon before duration in duration expression");
                }

                sawColon = true;
                return new Token(TokenKind.Colon, at - 1, at);
            case '(':
                parenDepth++;
                return Make(TokenKind.LeftParen);
            case ')': return CloseParen(c);
            case ' ' or '\t' or '\n' or '\r': return null;
            case '+': return Make(TokenKind.Add);
            case '-': return Make(TokenKind.Sub);
            case '*': return Make(TokenKind.Mul);
            case '/': return Make(TokenKind.Div);
            case '%': return Make(TokenKind.Mod);
            case '^': return Make(TokenKind.Pow);
            case ',': return Make(TokenKind.Comma);
        }

        if (IsDurationWordStart(c) && DurationWord() is { } word)
        {
            return word;
        }

        if (IsDigit(c) || (c == '.' && IsDigit(PeekRune(out _))))
        {
            at = start;
            sawDuration = true;

            // From the first number on, what is left up to the bracket is read as in a statement.
            inDuration = false;
            return NumberOrDuration();
        }

        throw Fail($"unexpected character in duration expression: {GoText.QuoteRune(c)}");
    }

    private Token? InBraces()
    {
        var c = PeekRune(out var width);
        if (c == '#')
        {
            SkipComment();
            return null;
        }

        at += width;
        switch (c)
        {
            case EndOfText: throw Fail("unexpected end of input inside braces");
            case ' ' or '\t' or '\n' or '\r': return null;
            case ',': return Make(TokenKind.Comma);
            case '"' or '\'': return QuotedString(c);
            case '`': return RawString();
            case '=': return Make(Accept('~') ? TokenKind.EqualRegex : TokenKind.Equal);
            case '!':
                if (Accept('~'))
                {
                    return Make(TokenKind.NotEqualRegex);
                }

                return Accept('=')
                    ? Make(TokenKind.NotEqual)
                    : throw Fail($"unexpected character after '!' inside braces: {GoText.QuoteRune(PeekRune(out _))}");
            case '{': throw Fail($"unexpected left brace {GoText.QuoteRune(c)}");
            case '}':
                inBraces = false;
                return Make(TokenKind.RightBrace);
        }

        if (!IsAlpha(c))
        {
            throw Fail($"unexpected character inside braces: {GoText.QuoteRune(c)}");
        }

        while (at < text.Length && IsAlphaNumeric(text[at]))
        {
            at++;
        }

        return Make(TokenKind.Identifier);
    }

    private Token EqualSign()
    {
        if (Accept('='))
        {
            return Make(TokenKind.EqualEqual);
        }

        return PeekRune(out _) == '~' ? throw Fail("unexpected character after '=': '~'") : Make(TokenKind.Equal);
    }

    private Token Bang() =>
        Accept('=') ? Make(TokenKind.NotEqual) : throw Fail($"unexpected character after '!': {GoText.QuoteRune(PeekRune(out _))}");

    private Token CloseParen(int c)
    {
        parenDepth--;
        if (parenDepth < 0)
        {
            start = at;
            throw Fail($"unexpected right parenthesis {GoText.QuoteRune(c)}");
        }

        return Make(TokenKind.RightParen);
    }

    private Token OpenBracket(int c)
    {
        if (inBrackets)
        {
            throw Fail($"unexpected left bracket {GoText.QuoteRune(c)}");
        }

        inBrackets = inDuration = true;
        sawColon = false;
        return Make(TokenKind.LeftBracket);
    }

    private Token WordInBrackets(int c)
    {
        if (c == ':')
        {
            if (sawColon)
            {
                throw Fail("unexpected colon ':'");
            }

            sawColon = true;
            return Make(TokenKind.Colon);
        }

        return IsDurationWordStart(c) && DurationWord() is { } word
            ? word
            : throw Fail($"unexpected character: {GoText.QuoteRune(c)}, expected ':'");
    }

    /// <summary>One of the words of duration expressions, of which the first letter has been read; null, and the cursor after it, when it is another.</summary>
    private Token? DurationWord()
    {
        var end = at;
        while (end < text.Length && IsAlpha(text[end]))
        {
            end++;
        }

        var kind = KeywordOf(start, end);
        if (kind is not (TokenKind.Step or TokenKind.Range or TokenKind.MaxOf or TokenKind.MinOf))
        {
            return null;
        }

        at = end;
        return Make(kind.Value);
    }

    private Token Word()
    {
        while (at < text.Length && (IsAlphaNumeric(text[at]) || text[at] == ':'))
        {
            at++;
        }

        if (KeywordOf(start, at) is { } kind)
        {
            // These became keywords late; a metric of that name must stay one.
            if (kind is TokenKind.Fill or TokenKind.FillLeft or TokenKind.FillRight)
            {
                var next = SkipBlanks(at);
                return Make(next < text.Length && text[next] == '(' ? kind : TokenKind.Identifier);
            }

            return Make(kind);
        }

        return Make(text.AsSpan(start, at - start).Contains((byte)':') ? TokenKind.MetricIdentifier : TokenKind.Identifier);
    }

    private TokenKind? KeywordOf(int from, int to)
    {
        const int Longest = 12;
        if (to - from > Longest)
        {
            return null;
        }

        Span<char> lower = stackalloc char[to - from];
        for (var i = from; i < to; i++)
        {
            lower[i - from] = char.ToLowerInvariant((char)text[i]);
        }

        return keywords.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(lower, out var kind) ? kind : null;
    }

    private void SkipComment()
    {
        while (at < text.Length && text[at] is not ((byte)'\n' or (byte)'\r'))
        {
            at++;
        }
    }

    private Token Make(TokenKind kind) => new(kind, start, at);

    private PromQLParseException Fail(string message) => Error(new PositionRange(start, text.Length), message);

    private bool Accept(char c)
    {
        if (at < text.Length && text[at] == c)
        {
            at++;
            return true;
        }

        return false;
    }

    private int PeekRune(out int width)
    {
        if (at >= text.Length)
        {
            width = 0;
            return EndOfText;
        }

        Rune.DecodeFromUtf8(text.AsSpan(at), out var rune, out width);
        return rune.Value;
    }

    private static bool IsBlank(byte c) => c is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r';

    private static bool IsDigit(int c) => c is >= '0' and <= '9';

    private static bool IsAlpha(int c) => c is '_' or (>= 'a' and <= 'z') or (>= 'A' and <= 'Z');

    private static bool IsAlphaNumeric(int c) => IsAlpha(c) || IsDigit(c);

    private static bool IsDurationWordStart(int c) => c is 's' or 'S' or 'r' or 'R' or 'm' or 'M';
}
