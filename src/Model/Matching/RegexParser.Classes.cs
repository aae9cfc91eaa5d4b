using System.Text;

namespace Metrics.Model;

/// <summary>Classes of characters: <c>\d</c>, <c>\pN</c>, <c>[...]</c> and <c>[:alpha:]</c>.</summary>
internal sealed partial class RegexParser
{
    /// <summary>\d \s \w, \pN and their opposites; the cursor stands behind the backslash.</summary>
    private RuneSet? TryParsePerlClass(int start)
    {
        var c = runes[at];
        if (c is 'p' or 'P')
        {
            at++;
            return ParseUnicodeClass(start, c == 'P');
        }

        RuneSet? set = char.ToLowerInvariant((char)Math.Min(c, 0xFFFF)) switch
        {
            'd' => new RuneSet([('0', '9')]),
            's' => new RuneSet([('\t', '\n'), ('\f', '\r'), (' ', ' ')]),
            'w' => new RuneSet([('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
            _ => null,
        };
        if (set is null || c > 'z')
        {
            return null;
        }

        at++;
        return c < 'a' ? set.Negate() : set;
    }

    private RuneSet ParseUnicodeClass(int start, bool negated)
    {
        if (at >= runes.Length)
        {
            throw Error("invalid character class range", Text(start, at));
        }

        string name;
        if (runes[at] == '{')
        {
            var end = Array.IndexOf(runes, '}', at);
            if (end < 0)
            {
                throw Error("invalid character class range", Text(start, runes.Length));
            }

            name = Text(at + 1, end);
            at = end + 1;
        }
        else
        {
            name = Text(at, at + 1);
            at++;
        }

        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }

        var set = RuneSet.Category(name) ?? throw Error("invalid character class range", Text(start, at));
        return negated ? set.Negate() : set;
    }

    private RegexNode.Set ParseClass()
    {
        var start = at - 1;
        var negated = at < runes.Length && runes[at] == '^';
        at += negated ? 1 : 0;
        var ranges = new List<(int From, int To)>();
        for (var first = true; ; first = false)
        {
            if (at >= runes.Length)
            {
                throw Error("missing closing ]", Text(start, runes.Length));
            }

            if (runes[at] == ']' && !first)
            {
                at++;
                break;
            }

            if (LooksAt("[:") && TryParsePosixClass(ranges))
            {
                continue;
            }

            if (runes[at] == '\\' && at + 1 < runes.Length)
            {
                at++;
                if (TryParsePerlClass(at - 1) is { } set)
                {
                    ranges.AddRange(set.Ranges);
                    continue;
                }

                at--;
            }

            ranges.Add(ParseClassRange(start));
        }

        if (negated && !flags.DotAll)
        {
            ranges.Add(('\n', '\n'));
        }

        var whole = new RuneSet(flags.FoldCase ? Folded(ranges) : ranges);
        return new RegexNode.Set(negated ? whole.Negate() : whole, FoldCase: false);
    }

    /// <summary>Adds the other case of each member.</summary>
    private static List<(int From, int To)> Folded(List<(int From, int To)> ranges)
    {
        var folded = new List<(int From, int To)>(ranges);
        foreach (var (from, to) in ranges)
        {
            for (var rune = from; rune <= Math.Min(to, 0x1FFFF); rune++)
            {
                if (Rune.IsValid(rune))
                {
                    var upper = Rune.ToUpperInvariant(new Rune(rune)).Value;
                    var lower = Rune.ToLowerInvariant(new Rune(rune)).Value;
                    if (upper != rune)
                    {
                        folded.Add((upper, upper));
                    }

                    if (lower != rune)
                    {
                        folded.Add((lower, lower));
                    }
                }
            }
        }

        return folded;
    }

    private (int From, int To) ParseClassRange(int classStart)
    {
        var start = at;
        var from = ParseClassRune(classStart);
        if (at + 1 >= runes.Length || runes[at] != '-' || runes[at + 1] == ']')
        {
            return (from, from);
        }

        at++;
        var to = ParseClassRune(classStart);
        return to >= from ? (from, to) : throw Error("invalid character class range", Text(start, at));
    }

    private int ParseClassRune(int classStart)
    {
        if (at >= runes.Length)
        {
            throw Error("missing closing ]", Text(classStart, runes.Length));
        }

        var c = runes[at++];
        return c == '\\' ? ParseEscapedRune(at - 1) : c;
    }

    private bool TryParsePosixClass(List<(int From, int To)> ranges)
    {
        var end = at + 2;
        while (end + 1 < runes.Length && !(runes[end] == ':' && runes[end + 1] == ']'))
        {
            end++;
        }

        if (end + 1 >= runes.Length)
        {
            return false;
        }

        var name = Text(at + 2, end);
        var negated = name.StartsWith('^');
        (int From, int To)[]? found = (negated ? name[1..] : name) switch
        {
            "alnum" => [('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => [('A', 'Z'), ('a', 'z')],
            "ascii" => [(0, 0x7F)],
            "blank" => [('\t', '\t'), (' ', ' ')],
            "cntrl" => [(0, 0x1F), (0x7F, 0x7F)],
            "digit" => [('0', '9')],
            "graph" => [('!', '~')],
            "lower" => [('a', 'z')],
            "print" => [(' ', '~')],
            "punct" => [('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => [('\t', '\r'), (' ', ' ')],
            "upper" => [('A', 'Z')],
            "word" => [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            "xdigit" => [('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => null,
        };
        if (found is null)
        {
            throw Error("invalid character class range", Text(at, end + 2));
        }

        ranges.AddRange(negated ? new RuneSet(found).Negate().Ranges : found);
        at = end + 2;
        return true;
    }
}
