using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Metrics.Model;

/// <summary>A set of code points as ascending, disjoint, inclusive ranges. Surrogates are no code points and never in it.</summary>
internal sealed class RuneSet
{
    private const int Last = 0x10FFFF;

    private static readonly ConcurrentDictionary<string, RuneSet> categories = new(StringComparer.Ordinal);

    private readonly (int From, int To)[] ranges;

    public RuneSet(IEnumerable<(int From, int To)> given)
    {
        var merged = new List<(int From, int To)>();
        foreach (var (from, to) in given.OrderBy(r => r.From))
        {
            if (merged.Count > 0 && from <= merged[^1].To + 1)
            {
                merged[^1] = (merged[^1].From, Math.Max(merged[^1].To, to));
            }
            else
            {
                merged.Add((from, to));
            }
        }

        ranges = [.. merged];
    }

    /// <summary>Every code point.</summary>
    public static RuneSet Everything { get; } = new([(0, Last)]);

    /// <summary>Every code point but the line feed.</summary>
    public static RuneSet EverythingButNewline { get; } = new([(0, 9), (11, Last)]);

    public IReadOnlyList<(int From, int To)> Ranges => ranges;

    public bool IsEverything => ranges is [(0, Last)];

    /// <summary>All others.</summary>
    public RuneSet Negate()
    {
        var rest = new List<(int From, int To)>();
        var next = 0;
        foreach (var (from, to) in ranges)
        {
            if (from > next)
            {
                rest.Add((next, from - 1));
            }

            next = to + 1;
        }

        if (next <= Last)
        {
            rest.Add((next, Last));
        }

        return new RuneSet(rest);
    }

    /// <summary>A Unicode general category, <c>L</c> or <c>Lu</c>, or <c>Any</c>; null when the name is none.</summary>
    public static RuneSet? Category(string name)
    {
        if (name == "Any")
        {
            return Everything;
        }

        if (categories.TryGetValue(name, out var known))
        {
            return known;
        }

        var wanted = new HashSet<UnicodeCategory>();
        foreach (var category in Enum.GetValues<UnicodeCategory>())
        {
            var code = CodeOf(category);
            if (code == name || (name.Length == 1 && code[0] == name[0]))
            {
                wanted.Add(category);
            }
        }

        if (wanted.Count == 0)
        {
            return null;
        }

        var found = new List<(int From, int To)>();
        for (var rune = 0; rune <= Last; rune++)
        {
            if (wanted.Contains(CharUnicodeInfo.GetUnicodeCategory(rune)))
            {
                if (found.Count > 0 && found[^1].To == rune - 1)
                {
                    found[^1] = (found[^1].From, rune);
                }
                else
                {
                    found.Add((rune, rune));
                }
            }
        }

        return categories.GetOrAdd(name, new RuneSet(found));
    }

    /// <summary>Appends as .NET regex over UTF-16: code points beyond 16 bits as pairs of surrogates.</summary>
    public void AppendPattern(StringBuilder pattern)
    {
        var single = new StringBuilder();
        var pairs = new List<string>();
        foreach (var (from, to) in ranges)
        {
            AppendSingle(single, from, Math.Min(to, 0xD7FF));
            AppendSingle(single, Math.Max(from, 0xE000), Math.Min(to, 0xFFFF));
            if (to > 0xFFFF)
            {
                AddPairs(pairs, Math.Max(from, 0x10000), to);
            }
        }

        if (single.Length > 0)
        {
            pairs.Insert(0, $"[{single}]");
        }

        // An empty set matches nothing.
        pattern.Append("(?:").AppendJoin('|', pairs.Count > 0 ? pairs : ["[^\\s\\S]"]).Append(')');
    }

    private static void AppendSingle(StringBuilder into, int from, int to)
    {
        if (from <= to)
        {
            into.Append($"\\u{from:X4}").Append(from == to ? "" : $"-\\u{to:X4}");
        }
    }

    private static void AddPairs(List<string> pairs, int from, int to)
    {
        while (from <= to)
        {
            var high = 0xD800 + ((from - 0x10000) >> 10);
            var lowFrom = 0xDC00 + ((from - 0x10000) & 0x3FF);
            var lastHigh = 0xD800 + ((to - 0x10000) >> 10);
            var lowTo = high == lastHigh ? 0xDC00 + ((to - 0x10000) & 0x3FF) : 0xDFFF;
            var highTo = high;

            // Whole rows of 1024 share one alternative.
            if (lowFrom == 0xDC00)
            {
                var endsRow = ((to - 0x10000) & 0x3FF) == 0x3FF;
                var lastWhole = endsRow ? lastHigh : lastHigh - 1;
                if (lastWhole >= high)
                {
                    highTo = lastWhole;
                    lowTo = 0xDFFF;
                }
            }

            pairs.Add($"[\\u{high:X4}-\\u{highTo:X4}][\\u{lowFrom:X4}-\\u{lowTo:X4}]");
            from = 0x10000 + ((highTo - 0xD800) << 10) + (lowTo - 0xDC00) + 1;
        }
    }

    private static string CodeOf(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => "Lu",
        UnicodeCategory.LowercaseLetter => "Ll",
        UnicodeCategory.TitlecaseLetter => "Lt",
        UnicodeCategory.ModifierLetter => "Lm",
        UnicodeCategory.OtherLetter => "Lo",
        UnicodeCategory.NonSpacingMark => "Mn",
        UnicodeCategory.SpacingCombiningMark => "Mc",
        UnicodeCategory.EnclosingMark => "Me",
        UnicodeCategory.DecimalDigitNumber => "Nd",
        UnicodeCategory.LetterNumber => "Nl",
        UnicodeCategory.OtherNumber => "No",
        UnicodeCategory.SpaceSeparator => "Zs",
        UnicodeCategory.LineSeparator => "Zl",
        UnicodeCategory.ParagraphSeparator => "Zp",
        UnicodeCategory.Control => "Cc",
        UnicodeCategory.Format => "Cf",
        UnicodeCategory.Surrogate => "Cs",
        UnicodeCategory.PrivateUse => "Co",
        UnicodeCategory.ConnectorPunctuation => "Pc",
        UnicodeCategory.DashPunctuation => "Pd",
        UnicodeCategory.OpenPunctuation => "Ps",
        UnicodeCategory.ClosePunctuation => "Pe",
        UnicodeCategory.InitialQuotePunctuation => "Pi",
        UnicodeCategory.FinalQuotePunctuation => "Pf",
        UnicodeCategory.OtherPunctuation => "Po",
        UnicodeCategory.MathSymbol => "Sm",
        UnicodeCategory.CurrencySymbol => "Sc",
        UnicodeCategory.ModifierSymbol => "Sk",
        UnicodeCategory.OtherSymbol => "So",
        _ => "Cn",
    };
}
