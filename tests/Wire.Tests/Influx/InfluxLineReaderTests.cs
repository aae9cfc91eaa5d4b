using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Wire.Tests;

public class InfluxLineReaderTests
{
    [Theory]
    [InlineData("cpu v=1", "1 cpu | v=1")]
    [InlineData("cpu,host=a,dc=b v=1.5,w=2i,x=3u 123", "1 cpu host=a dc=b | v=1.5 w=2 x=3 @123")]
    [InlineData("cpu v=-1e3,w=+.5,x=5. -7", "1 cpu | v=-1000 w=0.5 x=5 @-7")]
    [InlineData("c a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE", "1 c | a=1 b=1 c=1 d=1 e=1 f=0 g=0 h=0 i=0 j=0")]
    [InlineData("c s=\"te,xt =\\\"quoted\\\"\",v=1 5", "1 c | s=text v=1 @5")]
    [InlineData("c s=\"two\nlines\",v=1 5\nd v=2", "1 c | s=text v=1 @5;3 d | v=2")]
    [InlineData("\n# comment \" with quote\n  \n  c v=1\r\nd v=2   9  ", "4 c | v=1;5 d | v=2 @9")]
    [InlineData("my\\ m\\,x,t\\=a\\ g=v\\,1\\ \\=2 f\\ ield=1", "1 my m,x t=a g=v,1 =2 | f ield=1")]
    [InlineData("back\\slash,a=b\\c v=1", "1 back\\slash a=b\\c | v=1")]
    [InlineData("quote\",t=\"x\" v=1", "1 quote\" t=\"x\" | v=1")]
    [InlineData("c v=9223372036854775807i,w=18446744073709551615u -9223372036854775808", "1 c | v=9.223372036854776E+18 w=1.8446744073709552E+19 @-9223372036854775808")]
    [InlineData("", "")]
    public void ALineIsRead(string text, string want) => Assert.Equal(want, string.Join(';', Dump(Encoding.UTF8.GetBytes(text))));

    [Theory]
    [InlineData(",a=b v=1", "missing measurement")]
    [InlineData("cpu", "missing fields")]
    [InlineData("cpu,a=b", "missing fields")]
    [InlineData("cpu,a v=1", "missing tag value")]
    [InlineData("cpu,=b v=1", "missing tag key")]
    [InlineData("cpu,a= v=1", "missing tag value")]
    [InlineData("cpu,a=b=c v=1", "unescaped = in a tag value")]
    [InlineData("cpu, v=1", "missing tag key")]
    [InlineData("cpu v", "missing field value")]
    [InlineData("cpu v=", "missing field value")]
    [InlineData("cpu =1", "missing field key")]
    [InlineData("cpu v=1,", "missing field key")]
    [InlineData("cpu v=x", "invalid number or boolean")]
    [InlineData("cpu v=NaN", "invalid number or boolean")]
    [InlineData("cpu v=-Infinity", "invalid number or boolean")]
    [InlineData("cpu v=1e999", "invalid number or boolean")]
    [InlineData("cpu v=1.5i", "invalid number or boolean")]
    [InlineData("cpu v=9223372036854775808i", "invalid number or boolean")]
    [InlineData("cpu v=-1u", "invalid number or boolean")]
    [InlineData("cpu v=1 x", "bad timestamp")]
    [InlineData("cpu v=1 1 2", "bad timestamp")]
    [InlineData("cpu v=1 9223372036854775808", "bad timestamp")]
    [InlineData("cpu v=\"text", "unbalanced quotes")]
    [InlineData("cpu v=\"text\"x", "a field is followed by neither comma nor space")]
    public void AMistakeCostsItsLineAlone(string text, string error) =>
        Assert.Equal($"1 a | v=1;2 {error};3 b | v=2", string.Join(';', Dump(Encoding.UTF8.GetBytes($"a v=1\n{text}\nb v=2"))));

    [Fact]
    public void QuotesThatNeverEndAreNotSearchedForAgainAndAgain()
    {
        // Every line opens a quote that the next one closes by mistake: without a bound each line would be searched to the end of the body.
        var line = "a\" b=\"x\n"u8;
        var body = new byte[line.Length * 200_000];
        for (var i = 0; i < 200_000; i++)
        {
            line.CopyTo(body.AsSpan(i * line.Length));
        }

        var mistakes = 0;
        var reader = new InfluxLineReader(body);
        while (reader.Read())
        {
            mistakes += reader.Error is null ? 0 : 1;
        }

        Assert.Equal(200_000, mistakes);
    }

    [Fact]
    public void AnyBytesAreReadToTheEnd() =>
        Prop.ForAll(
            Gen.Elements([.. "ab1.,= \\\"\n#it-"u8]).ArrayOf().ToArbitrary(),
            bytes =>
            {
                var lines = Dump(bytes);
                return lines.Count <= bytes.Count(b => b == '\n') + 1;
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void WhatIsWrittenEscapedIsReadBack() =>
        Prop.ForAll(
            Gen.Elements("ab, =x\\é".ToCharArray()).ArrayOf().Where(c => c.Length > 0 && c[^1] != '\\' && !new string(c).Contains("\\\\", StringComparison.Ordinal) && !new string(c).Contains("\\ ", StringComparison.Ordinal) && !new string(c).Contains("\\,", StringComparison.Ordinal) && !new string(c).Contains("\\=", StringComparison.Ordinal)).ToArbitrary(),
            chars =>
            {
                var text = new string(chars);
                var escaped = text.Replace(",", "\\,", StringComparison.Ordinal).Replace(" ", "\\ ", StringComparison.Ordinal).Replace("=", "\\=", StringComparison.Ordinal);
                return Dump(Encoding.UTF8.GetBytes($"m,t={escaped} v=1"))[0] == $"1 m t={text} | v=1";
            }).QuickCheckThrowOnFailure();

    private static List<string> Dump(byte[] body)
    {
        var lines = new List<string>();
        var reader = new InfluxLineReader(body);
        while (reader.Read())
        {
            if (reader.Error is { } error)
            {
                lines.Add($"{reader.Line} {error}");
                continue;
            }

            var line = $"{reader.Line} {Text(reader.Measurement)}";
            var tags = reader.Tags;
            while (tags.MoveNext())
            {
                line += $" {Text(tags.Key)}={Text(tags.Value)}";
            }

            line += " |";
            var fields = reader.Fields;
            while (fields.MoveNext())
            {
                line += $" {Text(fields.Key)}={(fields.IsText ? "text" : fields.Value.ToString(CultureInfo.InvariantCulture))}";
            }

            lines.Add(line + (reader.Time is { } time ? $" @{time}" : ""));
        }

        return lines;
    }

    private static string Text(ReadOnlySpan<byte> escaped)
    {
        var to = new byte[escaped.Length];
        return Encoding.UTF8.GetString(to, 0, InfluxText.Unescape(escaped, to));
    }
}
