using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Model.Tests.Matching;

public sealed class MatcherTests
{
    [Theory]
    [InlineData("a|b|c", "a b c", "d ab ''")]
    [InlineData("foo(bar|baz)?", "foo foobar foobaz", "foob bar")]
    [InlineData("[ab]x", "ax bx", "cx x")]
    [InlineData(".*", "'' a é 😀", "")]
    [InlineData(".+", "a 😀", "''")]
    [InlineData("pre.*", "pre prefix", "xpre pr")]
    [InlineData("pre.+", "prefix", "pre")]
    [InlineData(".*fix", "fix suffix", "fixx")]
    [InlineData(".*mid.*", "mid amid midb", "mi")]
    [InlineData("a.*b.+c", "abxc axbxc", "abc ac")]
    [InlineData("a.+a", "aba aaa", "aa a")]
    [InlineData(".", "a 😀 é", "'' ab 😀😀")]
    [InlineData("..", "ab 😀😀", "😀")]
    [InlineData("[^a]", "b 😀", "a 😀😀")]
    [InlineData("[😀-😂]", "😀 😁 😂", "😃 a")]
    [InlineData("(?i)foo", "foo FOO fOo", "fo")]
    [InlineData("(?i:a)b", "ab Ab", "aB")]
    [InlineData("(?i)[a-c]+", "aBc", "d")]
    [InlineData("(?P<x>a+)b", "ab aab", "b")]
    [InlineData("(?<x>a)", "a", "b")]
    [InlineData("\\Qa.b\\E", "a.b", "axb")]
    [InlineData("[[:alpha:]]+[[:^digit:]]", "ab a😀", "a1")]
    [InlineData("\\pL+", "aé", "1")]
    [InlineData("\\p{Lu}\\P{Lu}", "Aa", "aA")]
    [InlineData("\\d+", "12", "a ١")]
    [InlineData("\\w+\\s\\w", "a_1", "é")]
    [InlineData("\\x41\\x{1F600}", "A😀", "A")]
    [InlineData("^a$", "a", "aa")]
    [InlineData("\\Aa\\z", "a", "b")]
    [InlineData("a{2,3}", "aa aaa", "a aaaa")]
    [InlineData("a{,2}", "a{,2}", "aa")]
    [InlineData("", "''", "a")]
    [InlineData("a|", "a ''", "b")]
    [InlineData("[]a]", "] a", "b")]
    [InlineData("[a-]", "a -", "b")]
    [InlineData("a.*?", "a ab", "b")]
    [InlineData("(a|b)(c|d)", "ac bd", "ab")]
    [InlineData("10\\.0\\..*", "10.0.1", "10x0.1")]
    public void PatternsMeanWhatRe2Means(string pattern, string accepted, string refused)
    {
        var matcher = new Matcher(MatchType.Regex, "l", pattern);
        var opposite = new Matcher(MatchType.NotRegex, "l", pattern);
        if (pattern == "\\w+\\s\\w")
        {
            // The tables are split at blanks; this one pattern needs them.
            Assert.True(matcher.Matches("ab c"u8));
            return;
        }

        foreach (var (list, want) in new[] { (accepted, true), (refused, false) })
        {
            foreach (var value in list.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => v == "''" ? "" : v))
            {
                var bytes = Encoding.UTF8.GetBytes(value);
                Assert.True(want == matcher.Matches(bytes), $"{pattern} on '{value}': want {want}");
                Assert.Equal(!want, opposite.Matches(bytes));
                Assert.True(want == ValuePattern.CompileWithoutShortcuts(pattern).Matches(bytes), $"{pattern} on '{value}' by regex: want {want}");
            }
        }
    }

    [Fact]
    public void DotMatchesALineFeedUnlessToldNotTo()
    {
        Assert.True(new Matcher(MatchType.Regex, "l", "a.b").Matches("a\nb"u8));
        Assert.True(new Matcher(MatchType.Regex, "l", "a.*").Matches("a\nb"u8));
        Assert.False(new Matcher(MatchType.Regex, "l", "(?-s)a.b").Matches("a\nb"u8));
        Assert.False(new Matcher(MatchType.Regex, "l", "(?-s:a.*)").Matches("a\nb"u8));
    }

    [Theory]
    [InlineData("(", "missing closing ): `(`")]
    [InlineData("a)", "unexpected ): `a)`")]
    [InlineData("[a", "missing closing ]: `[a`")]
    [InlineData("*a", "missing argument to repetition operator: `*`")]
    [InlineData("a**", "invalid nested repetition operator: `**`")]
    [InlineData("a{2000}", "invalid repeat count: `{2000}`")]
    [InlineData("(a{100}){100}", "invalid repeat count: `{100}`")]
    [InlineData("(?=a)", "invalid or unsupported Perl syntax: `(?=`")]
    [InlineData("(?!a)", "invalid or unsupported Perl syntax: `(?!`")]
    [InlineData("(?<=a)", "invalid or unsupported Perl syntax: `(?<`")]
    [InlineData("(a)\\1", "invalid escape sequence: `\\1`")]
    [InlineData("\\C", "invalid escape sequence: `\\C`")]
    [InlineData("\\y", "invalid escape sequence: `\\y`")]
    [InlineData("a\\", "trailing backslash at end of expression: ``")]
    [InlineData("[b-a]", "invalid character class range: `b-a`")]
    [InlineData("\\p{Nope}", "invalid character class range: `\\p{Nope}`")]
    [InlineData("(?P<n", "invalid named capture: `(?P<n`")]
    public void WhatRe2RefusesIsRefusedInGosWords(string pattern, string error) =>
        Assert.Equal("error parsing regexp: " + error, Assert.Throws<FormatException>(() => new Matcher(MatchType.Regex, "l", pattern)).Message);

    [Theory]
    [InlineData("(", ")")]
    [InlineData("(a|", ")")]
    [InlineData("[", "")]
    [InlineData("a{9", "}")]
    public void HostilePatternsAreErrorsAndNoCrash(string open, string close)
    {
        var pattern = string.Concat(Enumerable.Repeat(open, 50_000)) + string.Concat(Enumerable.Repeat(close, 50_000));
        Assert.Throws<FormatException>(() => new Matcher(MatchType.Regex, "l", pattern));
    }

    [Theory]
    [InlineData("c|a|b|a", "a b c", "")]
    [InlineData("ab(c|d)", "abc abd", "ab")]
    [InlineData("a", "a", "a")]
    [InlineData("a[0-2]", "a0 a1 a2", "a")]
    [InlineData("api-.*", null, "api-")]
    [InlineData("api(x|y).*", null, "api")]
    [InlineData("(?i)a|b", null, "")]
    [InlineData(".*a", null, "")]
    public void IndexesLearnSetsAndPrefixes(string pattern, string? set, string prefix)
    {
        var matcher = new Matcher(MatchType.Regex, "l", pattern);
        Assert.Equal(set is not null, matcher.TryGetSetMatches(out var values));
        Assert.Equal(set, values is null ? null : string.Join(' ', values.Select(Encoding.UTF8.GetString)));
        Assert.Equal(prefix, Encoding.UTF8.GetString(matcher.Prefix));
        Assert.False(new Matcher(MatchType.NotRegex, "l", pattern).TryGetSetMatches(out _));
    }

    [Fact]
    public void ShortcutsAgreeWithTheRegexEngine()
    {
        var part = Gen.Elements("a", "b", "😀", "é", ".*", ".+", ".", "(a|b)", "(ab|a)?", "[ab]", "\\.", "a+", "(?i:a)", "[^a]", "|", "a{0,2}");
        var pattern = part.NonEmptyListOf().Select(parts => string.Concat(parts.Take(7)));
        var value = Gen.Elements("a", "b", "A", ".", "😀", "é", "\n").ListOf().Select(parts => string.Concat(parts.Take(8)));
        var both = pattern.SelectMany(p => value.Select(v => (p, v)));
        Prop.ForAll(Arb.From(both), pair => AgreesOn(pair.p, pair.v)).Check(Config.QuickThrowOnFailure.WithMaxTest(400));
    }

    [Fact]
    public void FastPathsDoNotAllocate()
    {
        var matchers = new[] { "a|b|c", "pre.*", ".*mid.*", "x.+", "[a-f]+[0-9]" }.Select(p => new Matcher(MatchType.Regex, "l", p)).ToArray();
        var value = "premidfix"u8.ToArray();
        var hits = Matches();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            hits += Matches();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(202, hits);

        int Matches()
        {
            var count = 0;
            foreach (var matcher in matchers)
            {
                count += matcher.Matches(value) ? 1 : 0;
            }

            return count;
        }
    }

    private static bool AgreesOn(string pattern, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        ValuePattern fast;
        try
        {
            fast = ValuePattern.Compile(pattern);
        }
        catch (FormatException)
        {
            // Not every concatenation is a pattern, and then neither way takes it.
            return Assert.Throws<FormatException>(() => ValuePattern.CompileWithoutShortcuts(pattern)) is not null;
        }

        var matches = ValuePattern.CompileWithoutShortcuts(pattern).Matches(bytes);
        return fast.Matches(bytes) == matches && (!matches || bytes.AsSpan().StartsWith(fast.Prefix));
    }
}
