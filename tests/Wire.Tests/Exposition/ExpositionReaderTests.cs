using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Wire.Tests;

public class ExpositionReaderTests
{
    [Theory]
    [InlineData("up 1", "1 up = 1")]
    [InlineData("up 1 -5", "1 up = 1 @-5")]
    [InlineData("\tup{a=\"b\",c=\"d e\"}  1.5e3\t17 \r\nx 2", "1 up a=b c=d e = 1500 @17;2 x = 2")]
    [InlineData("up { a = \"b\" , } 1", "1 up a=b = 1")]
    [InlineData("up{} NaN\nup +Inf\nup -inf\nup Infinity", "1 up = NaN;2 up = Infinity;3 up = -Infinity;4 up = Infinity")]
    [InlineData("up{a=\"}\\\"\\\\\\n{\"} 1", "1 up a=}\"\\\n{ = 1")]
    [InlineData("{\"with.dots\",\"la bel\"=\"v\"} 1", "1 __name__=with.dots la bel=v = 1")]
    [InlineData("# HELP up Whether it is \\\\ up.\n# TYPE up gauge\n\n# a comment\n#\nup 0", "1 Help up Whether it is \\\\ up.;2 Type up gauge;6 up = 0")]
    [InlineData("", "")]
    public void ALineIsRead(string text, string want) => Assert.Equal(want, string.Join(';', Dump(Encoding.UTF8.GetBytes(text))));

    [Fact]
    public void OpenMetricsHasSecondsAndExemplars() =>
        Assert.Equal(
            "1 Unit a seconds;2 a_bucket le=1 = 3 @1700000000123;3 a = 1",
            string.Join(';', Dump("# UNIT a seconds\na_bucket{le=\"1\"} 3 1700000000.123 # {trace_id=\"x\"} 0.5 1700000000\na 1 # {} 1\n# EOF\n"u8.ToArray(), isOpenMetrics: true)));

    [Theory]
    [InlineData("up", "no value")]
    [InlineData("up x", "a value that is no number")]
    [InlineData("up 1e", "a value that is no number")]
    [InlineData("up +", "a value that is no number")]
    [InlineData("up 1 1.5", "a timestamp that is none")]
    [InlineData("up 1 99999999999999999999", "a timestamp that is none")]
    [InlineData("up 1 2 3", "more than a name, a value and a timestamp")]
    [InlineData("up{a=\"b\" 1", "labels without an end")]
    [InlineData("up{a=\"b} 1", "labels without an end")]
    [InlineData("up{a} 1", "labels that are none")]
    [InlineData("up{a=b} 1", "labels that are none")]
    [InlineData("up{=\"b\"} 1", "labels that are none")]
    [InlineData("up{a=\"b\"c=\"d\"} 1", "labels that are none")]
    [InlineData("up{,} 1", "labels that are none")]
    public void AMistakeCostsItsLineAlone(string text, string error) =>
        Assert.Equal($"1 a = 1;2 {error};3 b = 2", string.Join(';', Dump(Encoding.UTF8.GetBytes($"a 1\n{text}\nb 2"))));

    [Fact]
    public void AnyBytesAreReadToTheEnd() =>
        Prop.ForAll(
            Gen.Elements([.. "ab1.,= \\\"\n#{}\t-TYPE"u8]).ArrayOf().ToArbitrary(),
            static bytes => Dump(bytes).Count <= bytes.Count(static b => b == '\n') + 1).QuickCheckThrowOnFailure();

    private static List<string> Dump(byte[] body, bool isOpenMetrics = false)
    {
        var lines = new List<string>();
        var reader = new ExpositionReader(body, isOpenMetrics);
        for (var part = reader.Read(); part != ExpositionPart.End; part = reader.Read())
        {
            if (part != ExpositionPart.Sample)
            {
                lines.Add($"{reader.Line} {part} {Encoding.UTF8.GetString(reader.Name)} {Encoding.UTF8.GetString(reader.Text)}");
                continue;
            }

            var line = $"{reader.Line} {Encoding.UTF8.GetString(reader.Name)}".TrimEnd();
            var labels = reader.Labels;
            while (reader.Error is null && labels.MoveNext())
            {
                line += $" {Text(labels.Name)}={Text(labels.Value)}";
            }

            lines.Add(
                reader.Error is { } error ? $"{reader.Line} {error}"
                : labels.IsBroken ? $"{reader.Line} labels that are none"
                : line + $" = {reader.Value.ToString(CultureInfo.InvariantCulture)}" + (reader.TimeMs is { } time ? $" @{time}" : ""));
        }

        return lines;
    }

    private static string Text(ReadOnlySpan<byte> escaped)
    {
        var to = new byte[escaped.Length];
        return Encoding.UTF8.GetString(to, 0, ExpositionLabels.Unescape(escaped, to));
    }
}
