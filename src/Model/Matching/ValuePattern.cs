using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace Metrics.Model;

/// <summary>A compiled pattern over whole label values: without a regex engine where its shape allows, else in time linear in the value.</summary>
internal sealed class ValuePattern
{
    /// <summary>The most literal values a pattern is written out as.</summary>
    private const int MaxSet = 4096;

    private const int MaxStackChars = 256;

    private readonly byte[][]? sorted;
    private readonly Segments? segments;
    private readonly Regex? regex;

    private ValuePattern(byte[][]? sorted, Segments? segments, Regex? regex, byte[] prefix)
    {
        this.sorted = sorted;
        this.segments = segments;
        this.regex = regex;
        Prefix = prefix;
    }

    /// <summary>All values that match, ascending by bytes and each once, when they are finitely many and few; else null.</summary>
    public IReadOnlyList<byte[]>? Set => sorted;

    /// <summary>What every matching value begins with.</summary>
    public byte[] Prefix { get; }

    /// <summary>Compiles a pattern in RE2 syntax.</summary>
    /// <exception cref="FormatException">The pattern is not in the syntax, or too large.</exception>
    public static ValuePattern Compile(string pattern)
    {
        var node = RegexParser.Parse(pattern);
        if (Expand(node) is { } values)
        {
            var set = values.Select(Encoding.UTF8.GetBytes).ToList();
            set.Sort((a, b) => a.AsSpan().SequenceCompareTo(b));
            byte[][] unique = [.. set.Where((v, i) => i == 0 || !v.AsSpan().SequenceEqual(set[i - 1]))];
            return new ValuePattern(unique, null, null, CommonPrefix(unique));
        }

        var prefix = Encoding.UTF8.GetBytes(LiteralPrefix(node));
        return Segments.TryMake(node) is { } segments
            ? new ValuePattern(null, segments, null, prefix)
            : new ValuePattern(null, null, ToRegex(node, pattern), prefix);
    }

    /// <summary>Compiles a pattern without looking for a shortcut; the oracle of the tests.</summary>
    internal static ValuePattern CompileWithoutShortcuts(string pattern) => new(null, null, ToRegex(RegexParser.Parse(pattern), pattern), []);

    /// <summary>True when the whole value (UTF-8) matches.</summary>
    public bool Matches(ReadOnlySpan<byte> value)
    {
        if (sorted is not null)
        {
            return Contains(value);
        }

        return segments is not null ? segments.Matches(value) : value.StartsWith(Prefix) && MatchesRegex(value);
    }

    private bool Contains(ReadOnlySpan<byte> value)
    {
        var low = 0;
        var high = sorted!.Length - 1;
        while (low <= high)
        {
            var half = (low + high) >>> 1;
            var order = value.SequenceCompareTo(sorted[half]);
            if (order == 0)
            {
                return true;
            }

            if (order < 0)
            {
                high = half - 1;
            }
            else
            {
                low = half + 1;
            }
        }

        return false;
    }

    private bool MatchesRegex(ReadOnlySpan<byte> value)
    {
        if (value.Length <= MaxStackChars)
        {
            Span<char> small = stackalloc char[MaxStackChars];
            return regex!.IsMatch(small[..Encoding.UTF8.GetChars(value, small)]);
        }

        var rented = ArrayPool<char>.Shared.Rent(value.Length);
        try
        {
            return regex!.IsMatch(rented.AsSpan(0, Encoding.UTF8.GetChars(value, rented)));
        }
        finally
        {
            ArrayPool<char>.Shared.Return(rented);
        }
    }

    /// <summary>The regex that a node stands for, over a whole text or anywhere in it; captures are numbered groups.</summary>
    /// <exception cref="FormatException">The pattern is too large.</exception>
    internal static Regex ToRegex(RegexNode node, string source, bool isWhole = true)
    {
        var pattern = new StringBuilder(isWhole ? "\\A(?:" : "(?:");
        Append(pattern, node);
        pattern.Append(isWhole ? ")\\z" : ")");
        try
        {
            return new Regex(pattern.ToString(), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new FormatException($"error parsing regexp: expression too large: `{source}`", e);
        }
    }

    private static void Append(StringBuilder pattern, RegexNode node)
    {
        switch (node)
        {
            case RegexNode.Literal literal:
                var text = new Rune(Rune.IsValid(literal.Rune) ? literal.Rune : 0xFFFD).ToString();
                pattern.Append(literal.FoldCase ? "(?i:" : text.Length > 1 ? "(?:" : "").Append(Regex.Escape(text))
                    .Append(literal.FoldCase || text.Length > 1 ? ")" : "");
                break;
            case RegexNode.Set set:
                set.Runes.AppendPattern(pattern);
                break;
            case RegexNode.Anchor anchor:
                pattern.Append("(?:").Append(anchor.Pattern).Append(')');
                break;
            case RegexNode.Concat concat:
                foreach (var part in concat.Parts)
                {
                    AppendGrouped(pattern, part);
                }

                break;
            case RegexNode.Alternate alternate:
                for (var i = 0; i < alternate.Choices.Count; i++)
                {
                    pattern.Append(i == 0 ? "" : "|");
                    AppendGrouped(pattern, alternate.Choices[i]);
                }

                break;
            case RegexNode.Repeat repeat:
                pattern.Append("(?:");
                Append(pattern, repeat.Body);
                pattern.Append("){").Append(repeat.Min).Append(',').Append(repeat.Max < 0 ? "" : repeat.Max.ToString()).Append(repeat.IsLazy ? "}?" : "}");
                break;
            case RegexNode.Capture capture:
                pattern.Append("(?<").Append(capture.Number).Append('>');
                Append(pattern, capture.Body);
                pattern.Append(')');
                break;
        }
    }

    private static void AppendGrouped(StringBuilder pattern, RegexNode node)
    {
        var group = node is RegexNode.Alternate;
        pattern.Append(group ? "(?:" : "");
        Append(pattern, node);
        pattern.Append(group ? ")" : "");
    }

    /// <summary>All strings a node matches, or null when they are too many or can't be told.</summary>
    private static List<string>? Expand(RegexNode node)
    {
        switch (node)
        {
            case RegexNode.Empty: return [""];
            case RegexNode.Literal { FoldCase: false } literal: return [new Rune(literal.Rune).ToString()];
            case RegexNode.Set { FoldCase: false } set when set.Runes.Ranges.Sum(r => (long)r.To - r.From + 1) <= 64:
                return [.. set.Runes.Ranges.SelectMany(r => Enumerable.Range(r.From, r.To - r.From + 1)).Where(Rune.IsValid).Select(r => new Rune(r).ToString())];
            case RegexNode.Repeat { Min: 0, Max: 1 } optional: return Expand(optional.Body) is { } body ? ["", .. body] : null;
            case RegexNode.Alternate alternate:
                var all = new List<string>();
                foreach (var choice in alternate.Choices)
                {
                    if (Expand(choice) is not { } more || all.Count + more.Count > MaxSet)
                    {
                        return null;
                    }

                    all.AddRange(more);
                }

                return all;
            case RegexNode.Concat concat:
                List<string> heads = [""];
                foreach (var part in concat.Parts)
                {
                    if (Expand(part) is not { } tails || (long)heads.Count * tails.Count > MaxSet)
                    {
                        return null;
                    }

                    heads = [.. heads.SelectMany(_ => tails, (head, tail) => head + tail)];
                }

                return heads;
            default: return null;
        }
    }

    private static string LiteralPrefix(RegexNode node)
    {
        switch (node)
        {
            case RegexNode.Literal { FoldCase: false } literal: return new Rune(literal.Rune).ToString();
            case RegexNode.Concat concat:
                var prefix = new StringBuilder();
                foreach (var part in concat.Parts)
                {
                    prefix.Append(LiteralPrefix(part));
                    if (part is not RegexNode.Literal { FoldCase: false })
                    {
                        break;
                    }
                }

                return prefix.ToString();
            default: return "";
        }
    }

    private static byte[] CommonPrefix(byte[][] values)
    {
        if (values.Length == 0)
        {
            return [];
        }

        // In sorted order the first and the last differ earliest.
        var length = values[0].AsSpan().CommonPrefixLength(values[^1]);
        return values[0][..length];
    }

    /// <summary>Literals with <c>.*</c> or <c>.+</c> around and between them.</summary>
    private sealed class Segments
    {
        private readonly byte[] head;
        private readonly (int Gap, byte[] Text)[] middle;
        private readonly int lastGap;
        private readonly byte[] tail;

        private Segments(byte[] head, (int Gap, byte[] Text)[] middle, int lastGap, byte[] tail)
        {
            this.head = head;
            this.middle = middle;
            this.lastGap = lastGap;
            this.tail = tail;
        }

        public static Segments? TryMake(RegexNode node)
        {
            var parts = node is RegexNode.Concat concat ? concat.Parts : [node];
            var texts = new List<byte[]>();
            var gaps = new List<int>();
            var text = new StringBuilder();
            var afterGap = false;
            foreach (var part in parts)
            {
                if (part is RegexNode.Literal { FoldCase: false } literal)
                {
                    text.Append(new Rune(literal.Rune));
                    afterGap = false;
                }
                else if (part.IsAnyRun(out var min) && !afterGap)
                {
                    texts.Add(Encoding.UTF8.GetBytes(text.ToString()));
                    text.Clear();
                    gaps.Add(min);
                    afterGap = true;
                }
                else
                {
                    return null;
                }
            }

            if (gaps.Count == 0)
            {
                return null;
            }

            var inner = new (int, byte[])[texts.Count - 1];
            for (var i = 1; i < texts.Count; i++)
            {
                inner[i - 1] = (gaps[i - 1], texts[i]);
            }

            return new Segments(texts[0], inner, gaps[^1], Encoding.UTF8.GetBytes(text.ToString()));
        }

        public bool Matches(ReadOnlySpan<byte> value)
        {
            if (!value.StartsWith(head))
            {
                return false;
            }

            var rest = value[head.Length..];
            if (!rest.EndsWith(tail))
            {
                return false;
            }

            rest = rest[..^tail.Length];
            foreach (var (gap, text) in middle)
            {
                // The leftmost place leaves most room for what follows. A gap of one code point is at least one byte, and a literal can only begin
                // where a code point does, so bytes suffice.
                if (rest.Length < gap)
                {
                    return false;
                }

                var found = rest[gap..].IndexOf(text);
                if (found < 0)
                {
                    return false;
                }

                rest = rest[(gap + found + text.Length)..];
            }

            return rest.Length >= lastGap;
        }
    }
}
