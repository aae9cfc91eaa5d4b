using System.Text;
using System.Text.RegularExpressions;

namespace Metrics.Model;

/// <summary>A regular expression in RE2 syntax whose groups are wanted: matches whole values, and fills templates as Go's <c>Regexp.Expand</c> does.</summary>
/// <remarks>
/// <see cref="ValuePattern"/> only tells whether a value matches, and forgets groups. Here they are kept, and numbered in order whether named or not, which .NET does
/// otherwise. The preferences among several matches are RE2's: leftmost, first alternative. Matching takes time linear in the value. Immutable and thread-safe.
/// <c>(?U)</c>, which swaps greedy and lazy, has no effect.
/// </remarks>
public sealed class CapturePattern
{
    private readonly Regex regex;
    private readonly List<string> names = [];

    private CapturePattern(string pattern, bool isWhole) => regex = ValuePattern.ToRegex(RegexParser.Parse(pattern, names), pattern, isWhole);

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="FormatException">It is not in the syntax.</exception>
    public static CapturePattern Compile(string pattern) => new(pattern, isWhole: true);

    /// <summary>Compiles a pattern that is looked for anywhere in a text, as Go's regexp package does: <c>.</c> does not match a line feed.</summary>
    /// <exception cref="FormatException">It is not in the syntax.</exception>
    public static CapturePattern CompileSearch(string pattern) => new("(?-s)" + pattern, isWhole: false);

    /// <summary>True when the value matches, or for a search pattern holds a match.</summary>
    public bool IsMatch(string value) => regex.IsMatch(value);

    /// <summary>Replaces each match in a text by the filled template, as Go's <c>ReplaceAllString</c> does: an empty match right after another match does not count.</summary>
    /// <param name="text">The text.</param>
    /// <param name="template">As for <see cref="Expand(string, string)"/>.</param>
    public string ReplaceAll(string text, string template)
    {
        var replaced = new StringBuilder();
        var end = 0;
        var isFirst = true;
        for (var match = regex.Match(text); match.Success; match = match.NextMatch())
        {
            if (match.Length == 0 && match.Index == end && !isFirst)
            {
                continue;
            }

            replaced.Append(text, end, match.Index - end);
            Fill(replaced, template, match);
            end = match.Index + match.Length;
            isFirst = false;
        }

        return replaced.Append(text, end, text.Length - end).ToString();
    }

    /// <summary>Matches a whole value and fills the template with its groups; null when it does not match.</summary>
    /// <param name="value">The value.</param>
    /// <param name="template">Text with <c>$1</c>, <c>$name</c>, <c>${1}x</c>, <c>$$</c>; a name is as long as it can be, an unknown one is empty.</param>
    public string? Expand(string value, string template)
    {
        var match = regex.Match(value);
        if (!match.Success)
        {
            return null;
        }

        var text = new StringBuilder();
        Fill(text, template, match);
        return text.ToString();
    }

    private void Fill(StringBuilder text, string template, Match match)
    {
        var at = 0;
        while (at < template.Length)
        {
            if (template[at] != '$')
            {
                text.Append(template[at++]);
            }
            else if (at + 1 < template.Length && template[at + 1] == '$')
            {
                text.Append('$');
                at += 2;
            }
            else if (TryName(template, at + 1, out var name, out var end))
            {
                text.Append(GroupOf(name, match));
                at = end;
            }
            else
            {
                text.Append(template[at++]);
            }
        }
    }

    private static bool TryName(string template, int at, out string name, out int end)
    {
        var isBraced = at < template.Length && template[at] == '{';
        var from = isBraced ? at + 1 : at;
        end = from;
        while (end < template.Length && Rune.TryGetRuneAt(template, end, out var rune) && (Rune.IsLetter(rune) || Rune.IsDigit(rune) || rune.Value == '_'))
        {
            end += rune.Utf16SequenceLength;
        }

        name = template[from..end];
        if (isBraced && (end >= template.Length || template[end++] != '}'))
        {
            return false;
        }

        return name.Length > 0;
    }

    private ReadOnlySpan<char> GroupOf(string name, Match match)
    {
        if (name.AsSpan().ContainsAnyExceptInRange('0', '9'))
        {
            // Of several groups with one name the first that took part.
            for (var i = 0; i < names.Count; i++)
            {
                if (names[i] == name && match.Groups[i + 1].Success)
                {
                    return match.Groups[i + 1].ValueSpan;
                }
            }

            return default;
        }

        // 01 is no number, and no group can be called so.
        return (name.Length == 1 || name[0] != '0') && int.TryParse(name, out var number) && number <= names.Count ? match.Groups[number].ValueSpan : default;
    }
}
