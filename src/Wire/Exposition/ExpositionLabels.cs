namespace Metrics.Wire;

/// <summary>The labels of a sample in the text format, one after another, in place: what stands between the braces.</summary>
/// <remarks>
/// <code>
/// while (labels.MoveNext()) { ... }
/// if (labels.IsBroken) { ... }
/// </code>
/// A name may stand in quotes. A name in quotes without a value is the metric's; it is given with the name <c>__name__</c>.
/// </remarks>
/// <param name="text">What stands between the braces.</param>
public ref struct ExpositionLabels(ReadOnlySpan<byte> text)
{
    private ReadOnlySpan<byte> rest = text.TrimStart(" \t"u8);

    /// <summary>The name, escapes and all.</summary>
    public ReadOnlySpan<byte> Name { get; private set; }

    /// <summary>The value, escapes and all; see <see cref="Unescape"/>.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>True when the rest is no labels.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Steps to the next label; false at the end, and where the rest is none.</summary>
    public bool MoveNext()
    {
        if (IsBroken || rest.IsEmpty)
        {
            return false;
        }

        var isQuoted = rest[0] == '"';
        if (isQuoted)
        {
            if (!TryQuoted(out var name))
            {
                return Broken();
            }

            Name = name;
        }
        else
        {
            var end = rest.IndexOfAny("= \t,\""u8);
            Name = end < 0 ? rest : rest[..end];
            rest = rest[Name.Length..];
        }

        rest = rest.TrimStart(" \t"u8);
        if (rest.StartsWith("="u8))
        {
            rest = rest[1..].TrimStart(" \t"u8);
            if (Name.IsEmpty || !TryQuoted(out var value))
            {
                return Broken();
            }

            Value = value;
        }
        else if (isQuoted)
        {
            Value = Name;
            Name = "__name__"u8;
        }
        else
        {
            return Broken();
        }

        rest = rest.TrimStart(" \t"u8);
        if (!rest.IsEmpty && rest[0] != ',')
        {
            return Broken();
        }

        // The last may have a comma behind it.
        rest = rest.IsEmpty ? rest : rest[1..].TrimStart(" \t"u8);
        return true;
    }

    /// <summary>Writes what quoted text stands for, <c>\\</c>, <c>\"</c> and <c>\n</c> undone; gives its length, at most that of <paramref name="escaped"/>.</summary>
    public static int Unescape(ReadOnlySpan<byte> escaped, Span<byte> to)
    {
        var length = 0;
        for (var at = 0; at < escaped.Length; at++)
        {
            var isEscape = escaped[at] == '\\' && at + 1 < escaped.Length && escaped[at + 1] is (byte)'\\' or (byte)'"' or (byte)'n';
            at += isEscape ? 1 : 0;
            to[length++] = isEscape && escaped[at] == 'n' ? (byte)'\n' : escaped[at];
        }

        return length;
    }

    private bool TryQuoted(out ReadOnlySpan<byte> text)
    {
        text = default;
        if (!rest.StartsWith("\""u8))
        {
            return false;
        }

        for (var at = 1; at < rest.Length; at++)
        {
            if (rest[at] == '\\')
            {
                at++;
            }
            else if (rest[at] == '"')
            {
                text = rest[1..at];
                rest = rest[(at + 1)..];
                return true;
            }
        }

        return false;
    }

    private bool Broken()
    {
        IsBroken = true;
        return false;
    }
}
