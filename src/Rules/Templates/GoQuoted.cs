using System.Text;

namespace Metrics.Rules.Templates;

/// <summary>String and character constants as Go writes them.</summary>
internal static class GoQuoted
{
    /// <summary>The value of a constant with its quotes, or null when an escape is malformed. Bytes that are no UTF-8 become U+FFFD.</summary>
    public static string? Unquote(string quoted)
    {
        if (!quoted.Contains('\\'))
        {
            return quoted[1..^1];
        }

        var bytes = new List<byte>();
        Span<byte> utf8 = stackalloc byte[4];
        for (var i = 1; i < quoted.Length - 1;)
        {
            if (quoted[i] != '\\')
            {
                if (Rune.DecodeFromUtf16(quoted.AsSpan(i), out var rune, out var width) != System.Buffers.OperationStatus.Done)
                {
                    rune = Rune.ReplacementChar;
                }

                bytes.AddRange(utf8[..rune.EncodeToUtf8(utf8)]);
                i += width;
                continue;
            }

            var (value, length, isByte) = Escape(quoted.AsSpan(i + 1, quoted.Length - 2 - i), quoted[0]);
            if (length == 0 || (!isByte && !Rune.IsValid(value)))
            {
                return null;
            }

            if (isByte)
            {
                bytes.Add((byte)value);
            }
            else
            {
                bytes.AddRange(utf8[..new Rune(value).EncodeToUtf8(utf8)]);
            }

            i += 1 + length;
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static (int Value, int Length, bool IsByte) Escape(ReadOnlySpan<char> rest, char quote)
    {
        if (rest.IsEmpty)
        {
            return default;
        }

        switch (rest[0])
        {
            case 'a': return (7, 1, true);
            case 'b': return (8, 1, true);
            case 'f': return (12, 1, true);
            case 'n': return (10, 1, true);
            case 'r': return (13, 1, true);
            case 't': return (9, 1, true);
            case 'v': return (11, 1, true);
            case '\\': return ('\\', 1, true);
            case '\'' or '"': return rest[0] == quote ? (quote, 1, true) : default;
            case 'x': return Digits(rest, 1, 2, 16, isByte: true);
            case 'u': return Digits(rest, 1, 4, 16, isByte: false);
            case 'U': return Digits(rest, 1, 8, 16, isByte: false);
            case >= '0' and <= '7': return Digits(rest, 0, 3, 8, isByte: true);
            default: return default;
        }
    }

    private static (int Value, int Length, bool IsByte) Digits(ReadOnlySpan<char> rest, int from, int count, int numberBase, bool isByte)
    {
        if (rest.Length < from + count)
        {
            return default;
        }

        long value = 0;
        foreach (var c in rest.Slice(from, count))
        {
            var digit = char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : 99;
            if (digit >= numberBase)
            {
                return default;
            }

            value = (value * numberBase) + digit;
        }

        return value > (isByte ? 255 : 0x10FFFF) ? default : ((int)value, from + count, isByte);
    }
}
