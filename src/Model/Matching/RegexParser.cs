using System.Text;

namespace Metrics.Model;

/// <summary>Parses regular expressions in RE2 syntax, with <c>.</c> matching line feeds, and complains as Go's regexp/syntax does.</summary>
/// <remarks>https://github.com/google/re2/wiki/Syntax. What needs backtracking (look-around, back references) is no RE2 and refused.</remarks>
internal sealed partial class RegexParser
{
    private const int MaxRepeat = 1000;
    private const int MaxDepth = 200;

    private readonly string source;
    private readonly int[] runes;
    private int at;
    private int depth;
    private readonly List<string>? captures;
    private Flags flags = new(FoldCase: false, DotAll: true, MultiLine: false);

    private RegexParser(string source, List<string>? captures)
    {
        this.source = source;
        this.captures = captures;
        runes = [.. source.EnumerateRunes().Select(r => r.Value)];
    }

    private readonly record struct Flags(bool FoldCase, bool DotAll, bool MultiLine);

    /// <summary>Parses a whole pattern.</summary>
    /// <exception cref="FormatException">The pattern is not in the syntax; Go's text.</exception>
    public static RegexNode Parse(string pattern)
    {
        return Parse(pattern, null);
    }

    /// <summary>Parses a whole pattern, keeping its capturing groups.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="captures">Takes the names of the groups, in their order; empty for those without. When null, groups are not kept.</param>
    /// <exception cref="FormatException">The pattern is not in the syntax; Go's text.</exception>
    public static RegexNode Parse(string pattern, List<string>? captures)
    {
        var parser = new RegexParser(pattern, captures);
        var node = parser.ParseAlternate();
        return parser.at == parser.runes.Length ? node : throw Error("unexpected )", pattern);
    }

    private static FormatException Error(string code, string text) => new($"error parsing regexp: {code}: `{text}`");

    private RegexNode ParseAlternate()
    {
        if (++depth > MaxDepth)
        {
            throw Error("expression nests too deeply", source);
        }

        var outer = flags;
        var choices = new List<RegexNode> { ParseConcat() };
        while (at < runes.Length && runes[at] == '|')
        {
            at++;
            choices.Add(ParseConcat());
        }

        flags = outer;
        depth--;
        return choices.Count == 1 ? choices[0] : new RegexNode.Alternate(choices);
    }

    private RegexNode ParseConcat()
    {
        var parts = new List<RegexNode>();
        while (at < runes.Length && runes[at] is not ('|' or ')'))
        {
            if (LooksAt("\\Q"))
            {
                ParseQuoted(parts);
                continue;
            }

            if (ParseAtom() is { } atom)
            {
                parts.Add(ParseRepeats(atom));
            }
        }

        return parts.Count switch { 0 => new RegexNode.Empty(), 1 => parts[0], _ => new RegexNode.Concat(parts) };
    }

    private RegexNode ParseRepeats(RegexNode atom)
    {
        var operatorAt = -1;
        while (at < runes.Length)
        {
            var from = at;
            int min;
            int max;
            switch (runes[at])
            {
                case '*': (min, max) = (0, -1); at++; break;
                case '+': (min, max) = (1, -1); at++; break;
                case '?': (min, max) = (0, 1); at++; break;
                case '{' when TryParseCounts(out min, out max): break;
                default: return atom;
            }

            if (max > MaxRepeat || min > MaxRepeat || (max >= 0 && min > max))
            {
                throw Error("invalid repeat count", Text(from, at));
            }

            // Laziness has a meaning only where captures are looked at.
            var isLazy = at < runes.Length && runes[at] == '?';
            if (isLazy)
            {
                at++;
            }

            if (operatorAt >= 0)
            {
                throw Error("invalid nested repetition operator", Text(operatorAt, at));
            }

            operatorAt = from;
            atom = new RegexNode.Repeat(atom, min, max, isLazy && captures is not null);
            if (Copies(atom) > MaxRepeat)
            {
                throw Error("invalid repeat count", Text(from, at));
            }
        }

        return atom;
    }

    /// <summary>How often the innermost part is copied by counted repetitions around it.</summary>
    private static long Copies(RegexNode node) => node switch
    {
        RegexNode.Repeat repeat => Math.Max(1, Math.Max(repeat.Min, repeat.Max)) * Copies(repeat.Body),
        RegexNode.Capture capture => Copies(capture.Body),
        RegexNode.Concat concat => concat.Parts.Max(Copies),
        RegexNode.Alternate alternate => alternate.Choices.Max(Copies),
        _ => 1,
    };

    private bool TryParseCounts(out int min, out int max)
    {
        min = max = 0;
        var end = at + 1;
        if (!TryParseCount(ref end, out min))
        {
            return false;
        }

        max = min;
        if (end < runes.Length && runes[end] == ',')
        {
            end++;
            max = -1;
            if (end < runes.Length && runes[end] != '}' && !TryParseCount(ref end, out max))
            {
                return false;
            }
        }

        if (end >= runes.Length || runes[end] != '}')
        {
            return false;
        }

        at = end + 1;
        return true;
    }

    private bool TryParseCount(ref int position, out int count)
    {
        var from = position;
        count = 0;
        while (position < runes.Length && runes[position] is >= '0' and <= '9')
        {
            count = Math.Min((count * 10) + (runes[position++] - '0'), MaxRepeat + 1);
        }

        return position > from && (runes[from] != '0' || position == from + 1);
    }

    /// <summary>One thing that may be repeated; null for a group that only sets flags.</summary>
    private RegexNode? ParseAtom()
    {
        var c = runes[at++];
        switch (c)
        {
            case '(': return ParseGroup();
            case '[': return ParseClass();
            case '.': return new RegexNode.Set(flags.DotAll ? RuneSet.Everything : RuneSet.EverythingButNewline, FoldCase: false);
            case '^': return new RegexNode.Anchor(flags.MultiLine ? "(?m:^)" : "\\A");
            case '$': return new RegexNode.Anchor(flags.MultiLine ? "(?m:$)" : "\\z");
            case '*' or '+' or '?':
                throw Error("missing argument to repetition operator", Text(at - 1, at));
            case '{':
                at--;
                var from = at;
                if (TryParseCounts(out _, out _))
                {
                    throw Error("missing argument to repetition operator", Text(from, at));
                }

                at++;
                return new RegexNode.Literal(c, flags.FoldCase);
            case '\\': return ParseEscape();
            default: return new RegexNode.Literal(c, flags.FoldCase);
        }
    }

    private RegexNode? ParseGroup()
    {
        var start = at - 1;
        var outer = flags;
        var name = "";
        var isCapturing = true;
        if (at < runes.Length && runes[at] == '?')
        {
            at++;
            if (LooksAt("P<") || (LooksAt("<") && !LooksAt("<=") && !LooksAt("<!")))
            {
                name = ParseGroupName(start);
            }
            else if (!ParseFlags(start))
            {
                return null;
            }
            else
            {
                isCapturing = false;
            }
        }

        // Groups are numbered by where they open.
        var number = 0;
        if (isCapturing && captures is not null)
        {
            captures.Add(name);
            number = captures.Count;
        }

        var inner = ParseAlternate();
        flags = outer;
        if (at >= runes.Length)
        {
            throw Error("missing closing )", source);
        }

        at++;
        return number > 0 ? new RegexNode.Capture(number, inner) : inner;
    }

    private string ParseGroupName(int start)
    {
        at += runes[at] == 'P' ? 2 : 1;
        var from = at;
        while (at < runes.Length && runes[at] != '>')
        {
            at++;
        }

        var name = Text(from, at);
        if (at >= runes.Length)
        {
            throw Error("invalid named capture", Text(start, runes.Length));
        }

        at++;
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
        {
            throw Error("invalid named capture", Text(start, at));
        }

        return name;
    }

    /// <summary>Flags after <c>(?</c>; true when a group follows (<c>:</c>), false when they hold for the rest of this one.</summary>
    private bool ParseFlags(int start)
    {
        var on = true;
        var sawFlag = false;
        var changed = flags;
        while (at < runes.Length)
        {
            switch (runes[at++])
            {
                case 'i': changed = changed with { FoldCase = on }; sawFlag = true; break;
                case 's': changed = changed with { DotAll = on }; sawFlag = true; break;
                case 'm': changed = changed with { MultiLine = on }; sawFlag = true; break;
                case 'U': sawFlag = true; break;
                case '-' when on:
                    on = false;
                    sawFlag = false;
                    break;
                case ':' when on || sawFlag:
                    flags = changed;
                    return true;
                case ')' when on || sawFlag:
                    flags = changed;
                    return false;
                default:
                    throw Error("invalid or unsupported Perl syntax", Text(start, at));
            }
        }

        throw Error("missing closing )", source);
    }

    private void ParseQuoted(List<RegexNode> parts)
    {
        at += 2;
        while (at < runes.Length && !LooksAt("\\E"))
        {
            var literal = new RegexNode.Literal(runes[at++], flags.FoldCase);
            if (LooksAt("\\E"))
            {
                // What follows the quotation repeats its last character.
                at += 2;
                parts.Add(ParseRepeats(literal));
                return;
            }

            parts.Add(literal);
        }

        if (LooksAt("\\E"))
        {
            at += 2;
        }
    }

    private RegexNode ParseEscape()
    {
        var start = at - 1;
        if (at >= runes.Length)
        {
            throw Error("trailing backslash at end of expression", "");
        }

        switch (runes[at])
        {
            case 'A': at++; return new RegexNode.Anchor("\\A");
            case 'z': at++; return new RegexNode.Anchor("\\z");
            case 'b': at++; return new RegexNode.Anchor("\\b");
            case 'B': at++; return new RegexNode.Anchor("\\B");
            case 'C': throw Error("invalid escape sequence", "\\C");
        }

        return TryParsePerlClass(start) is { } set
            ? new RegexNode.Set(set, flags.FoldCase)
            : new RegexNode.Literal(ParseEscapedRune(start), flags.FoldCase);
    }

    private int ParseEscapedRune(int start)
    {
        if (at >= runes.Length)
        {
            throw Error("trailing backslash at end of expression", "");
        }

        var c = runes[at++];
        switch (c)
        {
            case >= '1' and <= '7' when at >= runes.Length || runes[at] is < '0' or > '7': break;
            case >= '0' and <= '7':
                var value = c - '0';
                for (var i = 1; i < 3 && at < runes.Length && runes[at] is >= '0' and <= '7'; i++)
                {
                    value = (value * 8) + (runes[at++] - '0');
                }

                return value;
            case 'x': return ParseHex(start);
            case 'a': return 7;
            case 'f': return '\f';
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'v': return '\v';
            case < 0x80 when !char.IsAsciiLetterOrDigit((char)c): return c;
        }

        throw Error("invalid escape sequence", Text(start, at));
    }

    private int ParseHex(int start)
    {
        var braces = at < runes.Length && runes[at] == '{';
        if (braces)
        {
            at++;
        }

        var value = 0;
        var digits = 0;
        while (at < runes.Length && (braces || digits < 2) && runes[at] < 0x80 && char.IsAsciiHexDigit((char)runes[at]))
        {
            value = (value * 16) + Convert.ToInt32(((char)runes[at++]).ToString(), 16);
            digits++;
            if (value > 0x10FFFF)
            {
                throw Error("invalid escape sequence", Text(start, at));
            }
        }

        if (digits == 0 || (!braces && digits < 2) || (braces && (at >= runes.Length || runes[at] != '}')))
        {
            throw Error("invalid escape sequence", Text(start, Math.Min(at + 1, runes.Length)));
        }

        at += braces ? 1 : 0;
        return Rune.IsValid(value) ? value : 0xFFFD;
    }

    private bool LooksAt(string text)
    {
        if (at + text.Length > runes.Length)
        {
            return false;
        }

        for (var i = 0; i < text.Length; i++)
        {
            if (runes[at + i] != text[i])
            {
                return false;
            }
        }

        return true;
    }

    private string Text(int from, int to)
    {
        var text = new StringBuilder();
        for (var i = from; i < Math.Min(to, runes.Length); i++)
        {
            text.Append(new Rune(runes[i]));
        }

        return text.ToString();
    }
}
