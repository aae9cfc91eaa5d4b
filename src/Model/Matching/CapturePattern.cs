using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Metrics.Model;

/// <summary>A regular expression in RE2 syntax whose groups are wanted: matches whole values, and fills templates as Go's <c>Regexp.Expand</c> does.</summary>
/// <remarks>
/// <see cref="ValuePattern"/> only tells whether a value matches, and forgets groups. Here the pattern is rewritten for .NET's linear-time engine, whose preferences among
/// several matches are the same (leftmost, first alternative). Groups are numbered in order, named or not, which .NET does otherwise; so names are kept here.
/// </remarks>
public sealed class CapturePattern
{
    private const string AnyRune = "(?:[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]|.)";
    private readonly Regex regex;
    private readonly Dictionary<string, int> names = new(StringComparer.Ordinal);
    private int groups;

    private CapturePattern(string pattern)
    {
        // Throws what RE2 would refuse, so that the rewriting below sees only sound patterns.
        RegexParser.Parse(pattern);
        try
        {
            regex = new Regex($"\\A(?s:{Rewrite(pattern)})\\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new FormatException($"error parsing regexp: not supported: `{pattern}`", e);
        }
    }

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="FormatException">It is not in the syntax.</exception>
    public static CapturePattern Compile(string pattern) => new(pattern);

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
        for (var i = 0; i < template.Length; i++)
        {
            if (template[i] != '$' || i + 1 == template.Length)
            {
                text.Append(template[i]);
                continue;
            }

            if (template[i + 1] == '$')
            {
                text.Append('$');
                i++;
                continue;
            }

            var braced = template[i + 1] == '{';
            var start = i + (braced ? 2 : 1);
            var end = start;
            while (end < template.Length && (char.IsLetterOrDigit(template[end]) || template[end] == '_'))
            {
                end++;
            }

            if (end == start || (braced && (end == template.Length || template[end] != '}')))
            {
                text.Append('$');
                continue;
            }

            text.Append(Group(template[start..end], match));
            i = braced ? end : end - 1;
        }

        return text.ToString();
    }

    private string Group(string name, Match match)
    {
        var isNumber = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && (name.Length == 1 || name[0] != '0');
        return isNumber ? match.Groups[number].Value : names.TryGetValue(name, out number) ? match.Groups[number].Value : "";
    }

    private string Rewrite(string pattern)
    {
        var text = new StringBuilder();
        var inClass = false;
        for (var i = 0; i < pattern.Length; i++)
        {
            var c = pattern[i];
            switch (c)
            {
                case '\\':
                    i = RewriteEscape(pattern, i + 1, inClass, text);
                    break;
                case '[' when !inClass:
                    inClass = true;
                    text.Append('[');
                    if (i + 1 < pattern.Length && pattern[i + 1] == '^')
                    {
                        text.Append('^');
                        i++;
                    }

                    // A bracket right at the beginning is itself.
                    if (i + 1 < pattern.Length && pattern[i + 1] == ']')
                    {
                        text.Append("\\]");
                        i++;
                    }

                    break;
                case '[' when pattern.IndexOf(":]", i, StringComparison.Ordinal) is > 0 and var close && pattern[i + 1] == ':':
                    text.Append(PosixClass(pattern[(i + 2)..close]));
                    i = close + 1;
                    break;
                case '[':
                    text.Append("\\[");
                    break;
                case ']' when inClass:
                    inClass = false;
                    text.Append(']');
                    break;
                case '(' when !inClass:
                    i = RewriteGroup(pattern, i, text);
                    break;
                case '.' when !inClass:
                    text.Append(AnyRune);
                    break;
                case '$' when !inClass:
                    // Without (?m) the very end of the text; .NET would also take the place before a last newline.
                    text.Append(pattern.Contains("(?m", StringComparison.Ordinal) ? "$" : "\\z");
                    break;
                default:
                    text.Append(c);
                    break;
            }
        }

        return text.ToString();
    }

    private int RewriteGroup(string pattern, int at, StringBuilder text)
    {
        var named = pattern.AsSpan(at).StartsWith("(?P<") ? 4 : pattern.AsSpan(at).StartsWith("(?<") ? 3 : 0;
        if (named > 0)
        {
            var end = pattern.IndexOf('>', at);
            names[pattern[(at + named)..end]] = ++groups;
            text.Append('(');
            return end;
        }

        if (!pattern.AsSpan(at).StartsWith("(?"))
        {
            groups++;
        }

        text.Append('(');
        return at;
    }

    private static int RewriteEscape(string pattern, int at, bool inClass, StringBuilder text)
    {
        var c = pattern[at];
        switch (c)
        {
            case 'Q' when !inClass:
                var end = pattern.IndexOf("\\E", at, StringComparison.Ordinal);
                text.Append(Regex.Escape(end < 0 ? pattern[(at + 1)..] : pattern[(at + 1)..end]));
                return end < 0 ? pattern.Length : end + 1;
            case 'd' or 'w' or 's':
                var set = Perl(c);
                text.Append(inClass ? set : $"[{set}]");
                return at;
            case 'D' or 'W' or 'S':
                text.Append(inClass ? NotPerl(c) : $"[^{Perl(char.ToLowerInvariant(c))}]");
                return at;
            case 'x' when at + 1 < pattern.Length && pattern[at + 1] == '{':
                var close = pattern.IndexOf('}', at);
                text.Append(Regex.Escape(char.ConvertFromUtf32(int.Parse(pattern.AsSpan(at + 2, close - at - 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture))));
                return close;
            case 'p' or 'P' when at + 1 < pattern.Length && pattern[at + 1] != '{':
                text.Append('\\').Append(c).Append('{').Append(pattern[at + 1]).Append('}');
                return at + 1;
            case >= '0' and <= '7':
                var digits = at;
                while (digits < pattern.Length && digits < at + 3 && pattern[digits] is >= '0' and <= '7')
                {
                    digits++;
                }

                text.Append(CultureInfo.InvariantCulture, $"\\x{Convert.ToInt32(pattern[at..digits], 8) & 0xff:x2}");
                return digits - 1;
            default:
                text.Append('\\').Append(c);
                return at;
        }
    }

    private static string Perl(char kind) => kind switch { 'd' => "0-9", 'w' => "0-9A-Za-z_", _ => "\\t\\n\\f\\r " };

    private static string NotPerl(char kind) => kind switch
    {
        'D' => "\\0-/:-\\uFFFF",
        'W' => "\\0-/:-@\\[-^`{-\\uFFFF",
        _ => "\\0-\\x08\\x0b\\x0e-\\x1f!-\\uFFFF",
    };

    private static string PosixClass(string name) => name switch
    {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => "\\0-\\x7f",
        "blank" => "\\t ",
        "cntrl" => "\\0-\\x1f\\x7f",
        "digit" => "0-9",
        "graph" => "!-~",
        "lower" => "a-z",
        "print" => " -~",
        "punct" => "!-/:-@\\[-`{-~",
        "space" => "\\t\\n\\v\\f\\r ",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => throw new FormatException($"error parsing regexp: invalid character class range: `[:{name}:]`"),
    };
}
