namespace Metrics.Wire;

/// <summary>Names and tag values of the line protocol: a backslash takes the meaning from a comma, space or equals sign that follows it, and is itself before anything else.</summary>
public static class InfluxText
{
    /// <summary>Writes what text with escapes stands for; gives its length, at most that of <paramref name="escaped"/>.</summary>
    public static int Unescape(ReadOnlySpan<byte> escaped, Span<byte> to)
    {
        var length = 0;
        while (true)
        {
            var slash = escaped.IndexOf((byte)'\\');
            var plain = slash < 0 ? escaped : escaped[..slash];
            plain.CopyTo(to[length..]);
            length += plain.Length;
            if (slash < 0)
            {
                return length;
            }

            escaped = escaped[slash..];
            var isEscape = escaped.Length > 1 && escaped[1] is (byte)',' or (byte)' ' or (byte)'=';
            to[length++] = isEscape ? escaped[1] : (byte)'\\';
            escaped = escaped[(isEscape ? 2 : 1)..];
        }
    }

    /// <summary>Where the first such byte lies that no backslash precedes; the length when there is none.</summary>
    internal static int EndOf(ReadOnlySpan<byte> text, byte end)
    {
        var from = 0;
        while (true)
        {
            var found = text[from..].IndexOf(end);
            if (found < 0)
            {
                return text.Length;
            }

            found += from;
            if (found == 0 || text[found - 1] != '\\')
            {
                return found;
            }

            from = found + 1;
        }
    }
}
