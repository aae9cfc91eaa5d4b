namespace Metrics.PromQL.Parsing;

/// <summary>Numbers, durations and strings.</summary>
internal sealed partial class Lexer
{
    private const string Digits = "0123456789";
    private const string HexDigits = "0123456789abcdefABCDEF";

    private Token NumberOrDuration()
    {
        if (ScanNumber())
        {
            return Make(TokenKind.Number);
        }

        if (ScanDurationRest())
        {
            return Make(TokenKind.Duration);
        }

        throw Fail($"bad number or duration syntax: {GoText.Quote(System.Text.Encoding.UTF8.GetString(text, start, at - start))}");
    }

    /// <summary>Reads what looks like a number; the parser finds out whether it is one. False leaves the cursor where it ceased to be.</summary>
    private bool ScanNumber()
    {
        var digits = Digits;
        if (Accept('0') && (Accept('x') || Accept('X')))
        {
            Accept('_');
            digits = HexDigits;
        }

        Accept('.');
        AcceptAny(digits);
        var sawDot = false;
        var sawExponent = false;
        while (PeekByte() is var c && (c == '.' || c == '_' || c is 'e' or 'E' || digits.Contains((char)c)))
        {
            if (c == '.')
            {
                at++;
                if (sawDot || AcceptAny("_.") || digits.Length > 10)
                {
                    return false;
                }

                sawDot = true;
            }
            else if (c is 'e' or 'E')
            {
                // In hexadecimal, too: only the first digit may be an e, as in the reference.
                at++;
                if (sawExponent)
                {
                    return false;
                }

                sawExponent = true;
                AcceptAny("+-");
                if (AcceptAny("._eE") || at >= text.Length)
                {
                    return false;
                }
            }
            else if (c == '_')
            {
                at++;
                if (AcceptAny("._eE") || at >= text.Length)
                {
                    return false;
                }
            }
            else
            {
                while (AcceptAny(digits))
                {
                }
            }
        }

        return at > start && !IsAlphaNumeric(PeekByte());
    }

    private bool ScanDurationRest()
    {
        if (!AcceptAny("smhdwy"))
        {
            return false;
        }

        Accept('s');
        while (AcceptAny(Digits))
        {
            while (AcceptAny(Digits))
            {
            }

            if (!AcceptAny("smhdw"))
            {
                return false;
            }

            Accept('s');
        }

        if (IsAlphaNumeric(PeekByte()))
        {
            at++;
            return false;
        }

        return true;
    }

    private Token QuotedString(int quote)
    {
        while (true)
        {
            var c = PeekRune(out var width);
            at += width;
            switch (c)
            {
                case '\\':
                    Escape(quote);
                    break;
                case 0xFFFD: throw Fail("invalid UTF-8 rune");
                case EndOfText or '\n': throw Fail("unterminated quoted string");
                default:
                    if (c == quote)
                    {
                        return Make(TokenKind.String);
                    }

                    break;
            }
        }
    }

    private Token RawString()
    {
        while (true)
        {
            var c = PeekRune(out var width);
            at += width;
            switch (c)
            {
                case '`': return Make(TokenKind.String);
                case 0xFFFD: throw Fail("invalid UTF-8 rune");
                case EndOfText: throw Fail("unterminated raw string");
            }
        }
    }

    private void Escape(int quote)
    {
        var c = PeekRune(out var width);
        at += width;
        if (c is 'a' or 'b' or 'f' or 'n' or 'r' or 't' or 'v' or '\\' || c == quote)
        {
            return;
        }

        switch (c)
        {
            case >= '0' and <= '7':
                at--;
                CodePoint(digits: 3, numberBase: 8, max: 255);
                break;
            case 'x': CodePoint(digits: 2, numberBase: 16, max: 255); break;
            case 'u': CodePoint(digits: 4, numberBase: 16, max: 0x10FFFF); break;
            case 'U': CodePoint(digits: 8, numberBase: 16, max: 0x10FFFF); break;
            case EndOfText: throw Fail("escape sequence not terminated");
            default: throw Fail($"unknown escape sequence {GoText.UnicodePoint(c)}");
        }
    }

    private void CodePoint(int digits, uint numberBase, uint max)
    {
        ulong value = 0;
        for (var i = 0; i < digits; i++)
        {
            var c = PeekRune(out var width);
            at += width;
            if (c == EndOfText)
            {
                throw Fail("escape sequence not terminated");
            }

            var digit = c < 128 && char.IsAsciiHexDigit((char)c) ? (uint)Convert.ToInt32(((char)c).ToString(), 16) : 16;
            if (digit >= numberBase)
            {
                throw Fail($"illegal character {GoText.UnicodePoint(c)} in escape sequence");
            }

            value = (value * numberBase) + digit;
        }

        if (value > max || value is >= 0xD800 and < 0xE000)
        {
            throw Fail("escape sequence is an invalid Unicode code point");
        }
    }

    private int PeekByte() => at < text.Length ? text[at] : EndOfText;

    private bool AcceptAny(string set)
    {
        if (at < text.Length && set.Contains((char)text[at]))
        {
            at++;
            return true;
        }

        return false;
    }
}
