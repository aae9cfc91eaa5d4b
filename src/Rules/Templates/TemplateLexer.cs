using System.Text;

namespace Metrics.Rules.Templates;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    End,
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Identifier,
    Field,
    Dot,
    Variable,
    String,
    RawString,
    Character,
    Number,
    LeftParen,
    RightParen,
    Pipe,
    Declare,
    Assign,
    Comma,
}

/// <summary>A token: its text as written, and where it begins.</summary>
internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Position);

/// <summary>Cuts a template into tokens. Trim markers and comments are dealt with here.</summary>
/// <remarks>Go's text/template/parse/lex.go.</remarks>
internal sealed class TemplateLexer(string source, Func<string, int, TemplateException> error)
{
    private const string Blanks = " \t\r\n";
    private readonly List<TemplateToken> tokens = [];
    private int at;
    private int parens;

    /// <summary>All tokens; the last is <see cref="TokenKind.End"/>.</summary>
    public List<TemplateToken> Read()
    {
        while (at < source.Length)
        {
            var open = source.IndexOf("{{", at, StringComparison.Ordinal);
            if (open < 0)
            {
                AddText(at, source.Length);
                at = source.Length;
                break;
            }

            var trims = IsTrimMarkerAfter(open + 2);
            var end = open;
            if (trims)
            {
                while (end > at && Blanks.Contains(source[end - 1]))
                {
                    end--;
                }
            }

            AddText(at, end);
            at = open + (trims ? 4 : 2);
            if (source.AsSpan(trims ? open + 3 : at).TrimStart(trims ? Blanks : "").StartsWith("/*"))
            {
                SkipComment(open);
            }
            else
            {
                tokens.Add(new(TokenKind.LeftDelimiter, "{{", open));
                ReadAction(open);
            }
        }

        tokens.Add(new(TokenKind.End, "EOF", source.Length));
        return tokens;
    }

    private bool IsTrimMarkerAfter(int position) => position + 1 < source.Length && source[position] == '-' && Blanks.Contains(source[position + 1]);

    private void AddText(int from, int to)
    {
        if (to > from)
        {
            tokens.Add(new(TokenKind.Text, source[from..to], from));
        }
    }

    private void SkipComment(int open)
    {
        var from = source.IndexOf("/*", open, StringComparison.Ordinal);
        var close = source.IndexOf("*/", from + 2, StringComparison.Ordinal);
        if (close < 0)
        {
            throw error("unclosed comment", open);
        }

        at = close + 2;
        if (!TryCloseAction())
        {
            throw error("comment ends before closing delimiter", open);
        }
    }

    /// <summary>Takes <c>}}</c> or <c> -}}</c>, and after the latter the blanks that follow.</summary>
    private bool TryCloseAction()
    {
        var rest = source.AsSpan(at);
        if (rest.StartsWith("}}"))
        {
            at += 2;
            return true;
        }

        if (rest.Length >= 4 && Blanks.Contains(rest[0]) && rest[1..].StartsWith("-}}"))
        {
            at += 4;
            while (at < source.Length && Blanks.Contains(source[at]))
            {
                at++;
            }

            return true;
        }

        return false;
    }

    private void ReadAction(int open)
    {
        parens = 0;
        while (true)
        {
            var start = at;
            if (TryCloseAction())
            {
                if (parens > 0)
                {
                    throw error("unclosed left paren", start);
                }

                tokens.Add(new(TokenKind.RightDelimiter, "}}", start));
                return;
            }

            if (at >= source.Length)
            {
                throw error("unclosed action", open);
            }

            ReadToken();
        }
    }

    private void ReadToken()
    {
        var start = at;
        var c = source[at];
        switch (c)
        {
            case ' ' or '\t' or '\r' or '\n':
                ReadSpace();
                return;
            case '|': Take(TokenKind.Pipe, 1); return;
            case ',': Take(TokenKind.Comma, 1); return;
            case '=': Take(TokenKind.Assign, 1); return;
            case ':' when at + 1 < source.Length && source[at + 1] == '=': Take(TokenKind.Declare, 2); return;
            case ':': throw error("expected :=", start);
            case '(':
                parens++;
                Take(TokenKind.LeftParen, 1);
                return;
            case ')':
                if (--parens < 0)
                {
                    throw error("unexpected right paren", start);
                }

                Take(TokenKind.RightParen, 1);
                return;
            case '"': ReadQuoted('"', TokenKind.String, "unterminated quoted string"); return;
            case '\'': ReadQuoted('\'', TokenKind.Character, "unterminated character constant"); return;
            case '`':
                var end = source.IndexOf('`', at + 1);
                Take(TokenKind.RawString, end < 0 ? throw error("unterminated raw quoted string", start) : end + 1 - at);
                return;
            case '$': ReadName(TokenKind.Variable); return;
            case '.' when at + 1 >= source.Length || !char.IsAsciiDigit(source[at + 1]): ReadField(); return;
        }

        if (char.IsAsciiDigit(c) || c is '+' or '-' or '.')
        {
            ReadNumber();
        }
        else if (IsNameRune(at, out _))
        {
            ReadName(TokenKind.Identifier);
        }
        else
        {
            Rune.DecodeFromUtf16(source.AsSpan(at), out var rune, out _);
            throw error($"unrecognized character in action: U+{rune.Value:X4}{(Rune.IsControl(rune) ? "" : $" '{rune}'")}", start);
        }
    }

    private void Take(TokenKind kind, int length)
    {
        tokens.Add(new(kind, source.Substring(at, length), at));
        at += length;
    }

    private void ReadSpace()
    {
        var length = 0;
        while (at + length < source.Length && Blanks.Contains(source[at + length]) && !(source.AsSpan(at + length + 1).StartsWith("-}}")))
        {
            length++;
        }

        if (length > 0)
        {
            Take(TokenKind.Space, length);
        }
    }

    private void ReadQuoted(char quote, TokenKind kind, string unterminated)
    {
        var end = at + 1;
        while (end < source.Length && source[end] != quote && source[end] != '\n')
        {
            end += source[end] == '\\' ? 2 : 1;
        }

        if (end >= source.Length || source[end] != quote)
        {
            throw error(unterminated, at);
        }

        Take(kind, end + 1 - at);
    }

    private void ReadField()
    {
        var length = 1;
        while (IsNameRune(at + length, out var width))
        {
            length += width;
        }

        Take(length == 1 ? TokenKind.Dot : TokenKind.Field, length);
        CheckTerminator();
    }

    private void ReadName(TokenKind kind)
    {
        var length = kind == TokenKind.Variable ? 1 : 0;
        while (IsNameRune(at + length, out var width))
        {
            length += width;
        }

        Take(kind, length);
        CheckTerminator();
    }

    /// <summary>After a name something must come that ends it.</summary>
    private void CheckTerminator()
    {
        if (at >= source.Length || source[at] is ' ' or '\t' or '\r' or '\n' or '.' or ',' or '|' or ':' or ')' or '(' or '=' || source.AsSpan(at).StartsWith("}}"))
        {
            return;
        }

        Rune.DecodeFromUtf16(source.AsSpan(at), out var rune, out _);
        throw error($"bad character U+{rune.Value:X4}{(Rune.IsControl(rune) ? "" : $" '{rune}'")}", at);
    }

    private void ReadNumber()
    {
        var end = at + 1;
        while (end < source.Length && (char.IsAsciiLetterOrDigit(source[end]) || source[end] is '.' or '_'
            || (source[end] is '+' or '-' && source[end - 1] is 'e' or 'E' or 'p' or 'P' && !source.AsSpan(at).StartsWith("0x", StringComparison.OrdinalIgnoreCase))))
        {
            end++;
        }

        Take(TokenKind.Number, end - at);
    }

    private bool IsNameRune(int position, out int width)
    {
        width = 0;
        return position < source.Length && Rune.DecodeFromUtf16(source.AsSpan(position), out var rune, out width) == System.Buffers.OperationStatus.Done
            && (rune.Value == '_' || Rune.IsLetter(rune) || Rune.IsDigit(rune));
    }
}
