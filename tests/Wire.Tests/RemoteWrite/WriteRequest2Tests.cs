using System.Text;
using Metrics.Model;
using Xunit;

namespace Metrics.Wire.Tests;

public class WriteRequest2Tests
{
    [Fact]
    public void A_request_is_read_with_its_text_from_the_symbols()
    {
        Assert.Equal("m|help|s|__name__=m; 1700000000000:1.5 since 1000; 7:0.5 __name__=m; [h] ", Describe(Request(symbolsFirst: true)));
        Assert.Equal(Describe(Request(symbolsFirst: true)), Describe(Request(symbolsFirst: false)));
    }

    [Theory]
    [InlineData("2200 220161 2a04 0a020101", "||a=a; ")]
    [InlineData("2200 220161 2a04 08010801", "||a=a; ")]
    [InlineData("", "")]
    public void References_may_be_packed_or_not(string hex, string want) => Assert.Equal(want, Describe(Hex(hex)));

    [Theory]
    [InlineData("220161", WireError.BadReference)]
    [InlineData("2200 2a03 0a0100", WireError.BadReference)]
    [InlineData("2200 2a04 0a020001", WireError.BadReference)]
    [InlineData("2a04 0a020000", WireError.BadReference)]
    [InlineData("2001", WireError.BadTag)]
    [InlineData("2205 61", WireError.Truncated)]
    public void Malformed_requests_say_what_is_wrong(string hex, WireError want) =>
        Assert.Equal(want, Assert.Throws<WireFormatException>(() => Describe(Hex(hex))).Error);

    [Fact]
    public void Damaged_requests_are_read_or_refused_and_nothing_else()
    {
        const int seed = 22;
        var random = new Random(seed);
        var body = Request(symbolsFirst: true);
        var refused = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var damaged = body[..(round < body.Length ? round : body.Length)];
            damaged.AsSpan(random.Next(Math.Max(damaged.Length, 1))).Slice(0, damaged.Length > 0 ? 1 : 0).Fill((byte)random.Next(256));
            try
            {
                Describe(damaged);
            }
            catch (WireFormatException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1, 20_000);
    }

    private static byte[] Request(bool symbolsFirst)
    {
        using var writer = new ProtobufWriter();
        if (symbolsFirst)
        {
            WriteSymbols(writer);
        }

        var series = writer.Begin(5);
        writer.Bytes(1, [1, 2]);
        var sample = writer.Begin(2);
        writer.Double(1, 1.5);
        writer.Varint64(2, 1_700_000_000_000);
        writer.Varint64(3, 1000);
        writer.End(sample);
        var histogram = writer.Begin(3);
        HistogramMessage.Write(writer, new HistogramSample { CountInteger = 1, Sum = 2, PositiveSpans = [new HistogramSpan(0, 1)], PositiveDeltas = [1] });
        writer.End(histogram);
        var exemplar = writer.Begin(4);
        writer.Bytes(1, [1, 2]);
        writer.Double(2, 0.5);
        writer.Varint64(3, 7);
        writer.End(exemplar);
        var metadata = writer.Begin(5);
        writer.Varint64(1, (ulong)MetricType.Counter);
        writer.Varint64(3, 3);
        writer.Varint64(4, 4);
        writer.End(metadata);
        writer.End(series);
        if (!symbolsFirst)
        {
            WriteSymbols(writer);
        }

        return writer.Written.ToArray();
    }

    private static void WriteSymbols(ProtobufWriter writer)
    {
        writer.Bytes(4, ""u8);
        writer.Bytes(4, "__name__"u8);
        writer.Bytes(4, "m"u8);
        writer.Bytes(4, "help"u8);
        writer.Bytes(4, "s"u8);
    }

    private static string Describe(byte[] body)
    {
        var text = new StringBuilder();
        var reader = new WriteRequest2Reader(body);
        try
        {
            while (reader.Read())
            {
                var series = reader.GetSeries();
                var metadata = series.GetMetadata();
                text.Append(series.HasMetadata ? "m" : "").Append('|').Append(Text(metadata.Help));
                text.Append('|').Append(Text(metadata.Unit)).Append(series.HasMetadata ? "|" : "");
                AppendLabels(text, series.Labels);
                foreach (var sample in series.Samples)
                {
                    text.Append($"{sample.TimestampMs}:{sample.Value} since {sample.StartTimestampMs}; ");
                }

                foreach (var exemplar in series.Exemplars)
                {
                    text.Append($"{exemplar.TimestampMs}:{exemplar.Value} ");
                    AppendLabels(text, exemplar.Labels);
                }

                foreach (var histogram in series.Histograms)
                {
                    text.Append('[').Append(histogram.FindDefect() ?? "h").Append("] ");
                }
            }
        }
        finally
        {
            reader.Dispose();
        }

        return text.ToString();
    }

    private static void AppendLabels(StringBuilder text, LabelRefEnumerator labels)
    {
        foreach (var label in labels)
        {
            text.Append($"{Text(label.Name)}={Text(label.Value)}; ");
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    private static byte[] Hex(string hex) => Convert.FromHexString(hex.Replace(" ", ""));
}
