using System.Text;
using Metrics.Model;
using Metrics.Testing;
using Xunit;

namespace Metrics.Wire.Tests;

public class WriteRequestTests
{
    // {a="b"} 1.5@1700000000000, by hand: label (0a 06: name 0a 01 61, value 12 01 62), sample (12 10: 09 double, 10 varint).
    private const string Golden = "0a1a 0a06 0a0161 120162 1210 09000000000000f83f 10 80d095ffbc31";

    [Fact]
    public void Bytes_written_by_hand_are_read_and_are_what_the_writer_writes()
    {
        var body = Hex(Golden);
        Assert.Equal("a=b; 1700000000000:1.5; ", Describe(body));

        using var writer = new WriteRequestWriter();
        writer.AddSeries(Labels.Of(("a", "b")), [1_700_000_000_000], [1.5]);
        Assert.Equal(Convert.ToHexString(body), Convert.ToHexString(writer.Written));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("0a00", "")]
    [InlineData("1a0a 0801 1201 6d 2201 68 2a00", "metadata Counter m h ")]
    [InlineData("7a03 616263 0a08 0a06 0a0161 120162", "a=b; ")]
    [InlineData("0a0a 0a08 0a0161 120162 7001", "a=b; ")]
    [InlineData("0a0b 0a09 0a0178 0a0161 120162", "a=b; ")]
    [InlineData("0a08 0a06 120162 0a0161", "a=b; ")]
    [InlineData("0a02 1200", "0:0; ")]
    [InlineData("0a05 1203 10e807", "1000:0; ")]
    [InlineData("0a0d 120b 10ffffffffffffffffff01", "-1:0; ")]
    [InlineData("0a0d 120b 1001 09000000000000f83f", "1:1.5; ")]
    public void Unusual_encodings_are_read_as_protobuf_says(string hex, string want) => Assert.Equal(want, Describe(Hex(hex)));

    [Theory]
    [InlineData("0a", WireError.Truncated, 1)]
    [InlineData("0a05 0a", WireError.Truncated, 1)]
    [InlineData("0801", WireError.BadTag, 1)]
    [InlineData("0b", WireError.BadTag, 0)]
    [InlineData("02", WireError.BadTag, 0)]
    [InlineData("0a03 0a010a", WireError.Truncated, 5)]
    [InlineData("0a04 1202 0901", WireError.Truncated, 5)]
    [InlineData("0a0d 120b 10ffffffffffffffffff7f", WireError.MalformedVarint, 5)]
    [InlineData("0a04 1202 0801", WireError.BadTag, 5)]
    public void Malformed_requests_say_what_is_wrong_and_where(string hex, WireError error, int offset)
    {
        var thrown = Assert.Throws<WireFormatException>(() => Describe(Hex(hex)));
        Assert.Equal((error, (long)offset), (thrown.Error, thrown.Offset));
    }

    [Fact]
    public void Labels_between_other_fields_are_gathered_for_the_fingerprint()
    {
        var contiguous = Hex("0a10 0a06 0a0161 120162 0a06 0a0163 120164");
        var interleaved = Hex("0a12 0a06 0a0161 120162 1200 0a06 0a0163 120164");
        byte[] scratch = [];
        var reader = new WriteRequestReader(contiguous);
        reader.Read();
        var whole = reader.GetSeries();
        Assert.True(whole.HasContiguousLabels);
        var other = new WriteRequestReader(interleaved);
        other.Read();
        var split = other.GetSeries();
        Assert.False(split.HasContiguousLabels);
        Assert.True(split.RawLabels.IsEmpty);
        Assert.True(whole.GetRawLabels(ref scratch).SequenceEqual(split.GetRawLabels(ref scratch)));
        Assert.Equal("a=b; c=d; 0:0; ", Describe(interleaved));
    }

    [Fact]
    public void A_scrape_reads_back_as_it_was_written()
    {
        var series = new KubernetesSeries(seed: 7).Take(400);
        var scrapes = new ScrapeBodies(series, seed: 7);
        var reader = new WriteRequestReader(scrapes.Request(0, 400, 5));
        var number = 0;
        for (var part = reader.Read(); part != WriteRequestPart.End; part = reader.Read())
        {
            var view = reader.GetSeries();
            var builder = new LabelsBuilder();
            foreach (var label in view.Labels)
            {
                builder.Set(label.Name, label.Value);
            }

            Assert.Equal(series[number], builder.ToLabels());
            Assert.True(view.HasContiguousLabels);
            foreach (var sample in view.Samples)
            {
                Assert.Equal(new SampleField(scrapes.TimeOf(5), scrapes.ValueOf(number, 5)), sample);
            }

            number++;
        }

        Assert.Equal(400, number);
    }

    [Fact]
    public void Every_time_and_value_comes_back_bit_for_bit()
    {
        long[] times = [0, 1, -1, 127, 128, long.MaxValue, long.MinValue, (1L << 35) - 1, 1L << 35, (1L << 42) - 1, 1L << 42, 1_700_000_000_123];
        double[] values = [0, -0.0, double.NaN, BitConverter.UInt64BitsToDouble(0x7ff0000000000002), double.PositiveInfinity, double.Epsilon, 1, -1, 2, 3, 4, 5];
        using var writer = new WriteRequestWriter();
        writer.AddSeries(S.Of("m"), times, values);
        var reader = new WriteRequestReader(writer.Written);
        reader.Read();
        var at = 0;
        foreach (var sample in reader.GetSeries().Samples)
        {
            Assert.Equal(times[at], sample.TimestampMs);
            Assert.Equal(BitConverter.DoubleToUInt64Bits(values[at]), BitConverter.DoubleToUInt64Bits(sample.Value));
            at++;
        }

        Assert.Equal(times.Length, at);
    }

    [Fact]
    public void Histograms_and_exemplars_read_back_as_they_were_written()
    {
        var integer = IntegerHistogram();
        var floating = new HistogramSample { IsFloat = true, TimestampMs = -5, CountFloat = 2.5, ZeroCountFloat = 0.5, Sum = 1e300, Schema = -4, PositiveSpans = [new(-3, 1)], PositiveCounts = [2] };
        using var writer = new WriteRequestWriter();
        writer.BeginSeries();
        writer.AddLabels(S.Of("h"));
        writer.AddExemplar(S.Of("x", "trace_id", "abc"), 7, 0.25);
        writer.AddHistogram(integer);
        writer.AddHistogram(floating);
        writer.EndSeries();

        var reader = new WriteRequestReader(writer.Written);
        reader.Read();
        var view = reader.GetSeries();
        Assert.Equal((2, 1, 0), (view.HistogramCount, view.ExemplarCount, view.SampleCount));
        var read = new List<HistogramSample>();
        foreach (var histogram in view.Histograms)
        {
            read.Add(histogram);
        }

        Assert.Equivalent(integer, read[0], strict: true);
        Assert.Equivalent(floating, read[1], strict: true);
        Assert.Null(read[0].FindDefect());
        Assert.Null(read[1].FindDefect());
        Assert.Equal([1.0, 3.0, 2.0], read[0].ToFloatHistogram().PositiveBuckets);
        foreach (var exemplar in view.Exemplars)
        {
            Assert.Equal((7L, 0.25), (exemplar.TimestampMs, exemplar.Value));
            var labels = new LabelsBuilder();
            foreach (var label in exemplar.Labels)
            {
                labels.Set(label.Name, label.Value);
            }

            Assert.Equal("abc", labels.ToLabels()["trace_id"]);
        }
    }

    [Fact]
    public void Histograms_that_do_not_add_up_have_a_defect()
    {
        var changes = new (string Want, Action<HistogramSample> Change)[]
        {
            ("schema", h => h.Schema = 9),
            ("spans cover", h => h.PositiveSpans = [new(0, uint.MaxValue), new(0, uint.MaxValue)]),
            ("offset", h => h.PositiveSpans = [new(0, 2), new(-1, 1)]),
            ("bucket 2 has count", h => h.PositiveDeltas = [1, 2, -4]),
            ("counted", h => h.CountInteger = 100),
            ("custom bounds with a schema", h => h.CustomValues = [1]),
            ("zero bucket with custom", h => h.Schema = FloatHistogram.CustomBucketsSchema),
        };
        foreach (var (want, change) in changes)
        {
            var histogram = IntegerHistogram();
            change(histogram);
            Assert.Contains(want, histogram.FindDefect(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Damaged_requests_are_read_or_refused_and_nothing_else()
    {
        const int seed = 20;
        using var writer = new WriteRequestWriter();
        writer.BeginSeries();
        writer.AddLabels(S.Of("m", "job", "api"));
        writer.AddSample(1_700_000_000_000, 1);
        writer.AddExemplar(S.Of("e"), 1, 2);
        writer.AddHistogram(IntegerHistogram());
        writer.EndSeries();
        writer.AddMetadata(MetricType.Gauge, "m"u8, "help"u8, "s"u8);
        var body = writer.Written.ToArray();
        var refused = 0;
        for (var cut = 0; cut <= body.Length; cut++)
        {
            refused += IsRefused(body[..cut]) ? 1 : 0;
        }

        // Only the cuts between the parts of the request are whole requests.
        Assert.Equal(body.Length + 1 - 3, refused);

        var random = new Random(seed);
        for (var round = 0; round < 20_000; round++)
        {
            var damaged = (byte[])body.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            }

            IsRefused(damaged);
        }
    }

    private static bool IsRefused(byte[] body)
    {
        try
        {
            Describe(body);
            return false;
        }
        catch (WireFormatException)
        {
            return true;
        }
    }

    private static HistogramSample IntegerHistogram() => new()
    {
        TimestampMs = 1_700_000_000_000,
        CountInteger = 8,
        ZeroCountInteger = 2,
        ZeroThreshold = 0.001,
        Sum = 12.5,
        Schema = 3,
        CounterResetHint = CounterResetHint.NotReset,
        PositiveSpans = [new(-2, 2), new(4, 1)],
        PositiveDeltas = [1, 2, -1],
    };

    /// <summary>Reads everything there is.</summary>
    private static string Describe(byte[] body)
    {
        var text = new StringBuilder();
        var reader = new WriteRequestReader(body);
        for (var part = reader.Read(); part != WriteRequestPart.End; part = reader.Read())
        {
            if (part == WriteRequestPart.Metadata)
            {
                var metadata = reader.GetMetadata();
                text.Append($"metadata {metadata.Type} {Encoding.Latin1.GetString(metadata.FamilyName)} {Encoding.Latin1.GetString(metadata.Help)} {Encoding.Latin1.GetString(metadata.Unit)}");
                continue;
            }

            var series = reader.GetSeries();
            foreach (var label in series.Labels)
            {
                text.Append($"{Encoding.Latin1.GetString(label.Name)}={Encoding.Latin1.GetString(label.Value)}; ");
            }

            foreach (var sample in series.Samples)
            {
                text.Append($"{sample.TimestampMs}:{sample.Value}; ");
            }

            foreach (var exemplar in series.Exemplars)
            {
                foreach (var label in exemplar.Labels)
                {
                    text.Append(label.Name.Length + label.Value.Length);
                }
            }

            foreach (var histogram in series.Histograms)
            {
                text.Append(histogram.FindDefect());
            }
        }

        return text.ToString();
    }

    private static byte[] Hex(string hex) => Convert.FromHexString(hex.Replace(" ", ""));
}
