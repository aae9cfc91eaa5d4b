using System.Text;

namespace Metrics.PromQL.Parsing;

/// <summary>Strings and characters as Go's fmt and strconv write and read them; Prometheus's messages and literals are made of these.</summary>
internal static class GoText
{
    // A byte that is no UTF-8 (written \xff) is kept as a lone low surrogate, U+DC00 + byte, which no text can hold otherwise.
    private const int ByteBase = 0xDC00;

    /// <summary><c>%q</c> of a string; bytes that are no UTF-8 come out as they were written.</summary>
    public static string Quote(string text)
    {
        if (IsValid(text))
        {
            return Model.LabelsText.Quote(text);
        }

        var quoted = new StringBuilder("\"");
        for (var i = 0; i < text.Length; i++)
        {
            var width = IsPair(text, i) ? 2 : 1;
            quoted.Append(width == 1 && char.IsSurrogate(text[i]) ? $"\\x{text[i] - ByteBase:x2}" : Model.LabelsText.Quote(text.Substring(i, width))[1..^1]);
            i += width - 1;
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>False when a string literal held bytes that are no UTF-8.</summary>
    public static bool IsValid(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (IsPair(text, i))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return false;
            }
        }

        return true;
    }

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

    /// <summary>The value of a string literal with its quotes, which the lexer has checked. Bytes that are no UTF-8 become lone low surrogates.</summary>
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

        return Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes));
    }

    private static bool IsPair(string text, int index) => index + 1 < text.Length && char.IsSurrogatePair(text, index);

    private static string Decode(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var width) == System.Buffers.OperationStatus.Done)
            {
                text.Append(rune);
            }
            else
            {
                width = 1;
                text.Append((char)(ByteBase + bytes[0]));
            }

            bytes = bytes[width..];
        }

        return text.ToString();
    }

    private static int Number(ReadOnlySpan<byte> digits, int numberBase) => Convert.ToInt32(Encoding.ASCII.GetString(digits), numberBase);
}
