using Xunit;

namespace Metrics.Model.Tests.Matching;

public sealed class CapturePatternTests
{
    [Theory]
    [InlineData("(.*)-(.*)", "a-b-c", "$2|$1", "c|a-b")]
    [InlineData("(.*?)-(.*)", "a-b-c", "$2|$1", "b-c|a")]
    [InlineData("(a+?)(a*)", "aaa", "$1,$2", "a,aa")]
    [InlineData("(?P<x>.)(.)(?P<y>.)", "123", "${y}${x}$2$0", "312123")]
    [InlineData("(?:a)(b)", "ab", "$1", "b")]
    [InlineData("((a)(b))c", "abc", "$1 $2 $3", "ab a b")]
    [InlineData("(a)|(b)", "b", "<$1$2>", "<b>")]
    [InlineData("(?P<n>a)|(?P<n>b)", "b", "$n", "b")]
    [InlineData("(?i:(ABC))", "aBc", "$1", "aBc")]
    [InlineData("(.)(😀+)", "x😀😀", "$2$1", "😀😀x")]
    [InlineData("([^a])(.*)", "😀b", "$2$1", "b😀")]
    [InlineData("([[:^alpha:]]+)(\\pL+)", "12ab", "$2", "ab")]
    [InlineData("(\\x{1F600}*)", "😀😀", "$1", "😀😀")]
    [InlineData("(\\Qa.b\\E)", "a.b", "$1", "a.b")]
    [InlineData("(a|ab)(c|bcd)?", "abcd", "$1,$2", "a,bcd")]
    [InlineData("(.+)", "a\nb", "$1", "a\nb")]
    public void GroupsAreThoseThatRe2Finds(string pattern, string value, string template, string expected) =>
        Assert.Equal(expected, CapturePattern.Compile(pattern).Expand(value, template));

    [Theory]
    [InlineData("$1x", "")]
    [InlineData("${1}x", "vx")]
    [InlineData("$$1", "$1")]
    [InlineData("$", "$")]
    [InlineData("${1", "${1")]
    [InlineData("$-", "$-")]
    [InlineData("$9$none", "")]
    [InlineData("$01", "")]
    [InlineData("a$1", "av")]
    public void TemplatesAreReadAsGoReadsThem(string template, string expected) => Assert.Equal(expected, CapturePattern.Compile("(v)").Expand("v", template));

    [Theory]
    [InlineData("b", "ab")]
    [InlineData("a$", "a\n")]
    public void OnlyWholeValuesMatch(string pattern, string value) => Assert.Null(CapturePattern.Compile(pattern).Expand(value, "x"));

    [Theory]
    [InlineData("(")]
    [InlineData("(?=a)")]
    [InlineData("a**")]
    [InlineData("(a)\\1")]
    public void WhatRe2RefusesIsRefused(string pattern) => Assert.Throws<FormatException>(() => CapturePattern.Compile(pattern));

    [Theory]
    [InlineData("a(.)", "<$1>", "xab ac", "x<b> <c>")]
    [InlineData("a*", "x", "baaac", "xbxcx")]
    [InlineData("", "-", "ab", "-a-b-")]
    [InlineData("a.b", "x", "a\nb", "a\nb")]
    [InlineData("(?s)a.b", "x", "a\nb", "x")]
    [InlineData("^a", "x", "aa", "xa")]
    [InlineData("b$", "x", "ab", "ax")]
    [InlineData("(?P<w>\\w+)@", "${w} at ", "me@you", "me at you")]
    [InlineData("a|ab", "x", "ab", "xb")]
    public void SearchReplacesAllAsGoDoes(string pattern, string template, string text, string expected) =>
        Assert.Equal(expected, CapturePattern.CompileSearch(pattern).ReplaceAll(text, template));

    [Theory]
    [InlineData("[0-9]+", "a1", true)]
    [InlineData("[0-9]+$", "1a", false)]
    [InlineData("", "", true)]
    public void SearchFindsAMatchAnywhere(string pattern, string text, bool expected) => Assert.Equal(expected, CapturePattern.CompileSearch(pattern).IsMatch(text));
}
