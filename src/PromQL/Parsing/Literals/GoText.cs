using System.Text;

namespace Metrics.PromQL.Parsing;

/// <summary>Strings and characters as Go's fmt and strconv write and read them; Prometheus's messages and literals are made of these.</summary>
internal static class GoText
{
    /// <summary><c>%q</c> of a string.</summary>
    public static string Quote(string text) => Model.LabelsText.Quote(text);

    /// <summary><c>%q</c> of a character; a value that is none is shown as U+FFFD.</summary>
    public static string QuoteRune(int rune)
    {
        if (!Rune.IsValid(rune))
        {
            rune = 0xFFFD;
        }

        if (rune is '\'')
        {
            return "'\\''";
        }

        if (rune is '"')
        {
            return "'\"'";
        }

        var quoted = Quote(new Rune(rune).ToString());
        return $"'{quoted[1..^1]}'";
    }

    /// <summary><c>%#U</c> of a character, e.g. <c>U+0078 'x'</c>.</summary>
    public static string UnicodePoint(int rune)
    {
        var shown = Rune.IsValid(rune) && !Rune.IsControl(new Rune(rune)) ? $" '{new Rune(rune)}'" : "";
        return $"U+{rune:X4}{shown}";
    }

    /// <summary>The value of a string literal with its quotes, which the lexer has checked. Bytes that are no UTF-8 become U+FFFD.</summary>
    public static string Unquote(ReadOnlySpan<byte> literal)
    {
        var inner = literal[1..^1];
        if (literal[0] == '`' || !inner.Contains((byte)'\\'))
        {
            return Encoding.UTF8.GetString(inner);
        }

        var bytes = new List<byte>(inner.Length);
        Span<byte> utf8 = stackalloc byte[4];
        for (var i = 0; i < inner.Length; i++)
        {
            if (inner[i] != '\\')
            {
                bytes.Add(inner[i]);
                continue;
            }

            var c = inner[++i];
            switch (c)
            {
                case (byte)'a': bytes.Add(7); break;
                case (byte)'b': bytes.Add(8); break;
                case (byte)'f': bytes.Add(12); break;
                case (byte)'n': bytes.Add(10); break;
                case (byte)'r': bytes.Add(13); break;
                case (byte)'t': bytes.Add(9); break;
                case (byte)'v': bytes.Add(11); break;
                case (byte)'x':
                    bytes.Add((byte)Number(inner.Slice(i + 1, 2), 16));
                    i += 2;
                    break;
                case (byte)'u' or (byte)'U':
                    var digits = c == 'u' ? 4 : 8;
                    var length = new Rune(Number(inner.Slice(i + 1, digits), 16)).EncodeToUtf8(utf8);
                    bytes.AddRange(utf8[..length]);
                    i += digits;
                    break;
                case >= (byte)'0' and <= (byte)'7':
                    bytes.Add((byte)Number(inner.Slice(i, 3), 8));
                    i += 2;
                    break;
                default: bytes.Add(c); break;
            }
        }

        return Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes));
    }

    private static int Number(ReadOnlySpan<byte> digits, int numberBase) => Convert.ToInt32(Encoding.ASCII.GetString(digits), numberBase);
}
