using System.Buffers;
using System.Globalization;
using System.Text;
using Metrics.Model;
using Metrics.Testing;
using Xunit;

namespace Metrics.Wire.Tests;

public class PrometheusJsonTests
{
    [Theory]
    [InlineData(0, "0", "0", "0")]
    [InlineData(-0.0, "-0", "-0", "-0")]
    [InlineData(1, "1", "1", "1")]
    [InlineData(-1.5, "-1.5", "-1.5", "-1.5")]
    [InlineData(0.1, "0.1", "0.1", "0.1")]
    [InlineData(100000, "100000", "100000", "100000")]
    [InlineData(1e6, "1000000", "1000000", "1e+06")]
    [InlineData(123456789, "123456789", "123456789", "1.23456789e+08")]
    [InlineData(0.0001, "0.0001", "0.0001", "0.0001")]
    [InlineData(0.00001, "0.00001", "0.00001", "1e-05")]
    [InlineData(1e-6, "0.000001", "0.000001", "1e-06")]
    [InlineData(1.5e-7, "0.00000015", "1.5e-07", "1.5e-07")]
    [InlineData(1e20, "100000000000000000000", "100000000000000000000", "1e+20")]
    [InlineData(1e21, "1000000000000000000000", "1e+21", "1e+21")]
    [InlineData(1.7976931348623157e308, null, "1.7976931348623157e+308", "1.7976931348623157e+308")]
    [InlineData(5e-324, null, "5e-324", "5e-324")]
    [InlineData(double.NaN, "NaN", "NaN", "NaN")]
    [InlineData(double.PositiveInfinity, "+Inf", "+Inf", "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf", "-Inf", "-Inf")]
    public void Floats_look_as_Go_writes_them(double value, string? fixedPoint, string json, string general)
    {
        var to = new byte[GoFloat.MaxBytes];
        var plain = Encoding.ASCII.GetString(to, 0, GoFloat.FormatF(value, to));
        Assert.Equal(fixedPoint ?? plain, plain);
        Assert.DoesNotContain('e', plain);
        Assert.Equal(json, Encoding.ASCII.GetString(to, 0, GoFloat.FormatJson(value, to)));
        Assert.Equal(general, Encoding.ASCII.GetString(to, 0, GoFloat.FormatG(value, to)));
    }

    [Fact]
    public void Decimals_are_written_with_the_digits_they_have()
    {
        var random = new Random(12);
        var to = new byte[GoFloat.MaxBytes];
        for (var i = 0; i < 100_000; i++)
        {
            var digits = random.NextInt64((long)Math.Pow(10, random.Next(1, 16)));
            var decimals = random.Next(7);
            var exact = (random.Next(2) == 0 ? 1 : -1) * (decimal)digits / (decimal)Math.Pow(10, decimals);
            var expected = exact == 0 ? "0" : exact.ToString("0.######", CultureInfo.InvariantCulture);
            Assert.Equal(expected, Encoding.ASCII.GetString(to, 0, GoFloat.FormatF(exact == 0 ? 0 : (double)exact, to)));
        }
    }

    [Fact]
    public void Every_layout_of_a_float_reads_back_as_the_same_float()
    {
        var random = new Random(11);
        var to = new byte[GoFloat.MaxBytes];
        for (var i = 0; i < 50_000; i++)
        {
            var value = BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue));
            if (!double.IsFinite(value))
            {
                continue;
            }

            Assert.Equal(value, double.Parse(Encoding.ASCII.GetString(to, 0, GoFloat.FormatF(value, to))));
            Assert.Equal(value, double.Parse(Encoding.ASCII.GetString(to, 0, GoFloat.FormatJson(value, to))));
            Assert.Equal(value, double.Parse(Encoding.ASCII.GetString(to, 0, GoFloat.FormatG(value, to))));
        }
    }

    [Theory]
    [InlineData(1435781430781, "1435781430.781")]
    [InlineData(1500, "1.500")]
    [InlineData(1000, "1")]
    [InlineData(0, "0")]
    [InlineData(1, "0.001")]
    [InlineData(-1, "-0.001")]
    [InlineData(-1050, "-1.050")]
    [InlineData(long.MinValue, "-9223372036854775.808")]
    public void Times_are_seconds_with_three_decimals_or_none(long timestampMs, string want) =>
        Assert.Equal(want, Written(o => PrometheusJson.WriteTimestamp(o, timestampMs)));

    [Fact]
    public void Samples_and_label_sets_look_as_in_the_API()
    {
        Assert.Equal("[1.500,\"0.5\"]", Written(o => PrometheusJson.WritePoint(o, 1500, 0.5)));
        Assert.Equal("[1,\"1\"],[2,\"NaN\"]", Written(o => PrometheusJson.WritePoints(o, [1000, 2000], [1, double.NaN])));
        Assert.Equal("[1.5,\"1000000000000000000000\"]", Written(o => PrometheusJson.WriteScalar(o, 1500, 1e21)));
        Assert.Equal("[1.5,\"a\\u003cb\"]", Written(o => PrometheusJson.WriteStringResult(o, 1500, "a<b"u8)));
        Assert.Equal("{}", Written(o => PrometheusJson.WriteLabels(o, Labels.Empty)));
        Assert.Equal("{\"__name__\":\"up\",\"job\":\"a\\\"<b>\"}", Written(o => PrometheusJson.WriteLabels(o, S.Of("up", "job", "a\"<b>"))));
    }

    [Theory]
    [InlineData("61", "\"a\"", "\"a\"")]
    [InlineData("", "\"\"", "\"\"")]
    [InlineData("225c0a0d0901", "\"\\\"\\\\\\n\\r\\t\\u0001\"", "\"\\\"\\\\\\n\\r\\t\\u0001\"")]
    [InlineData("3c3e26", "\"<>&\"", "\"\\u003c\\u003e\\u0026\"")]
    [InlineData("c3a97f", "\"é\u007f\"", "\"é\u007f\"")]
    [InlineData("e280a8e280a9", "\"\u2028\u2029\"", "\"\\u2028\\u2029\"")]
    [InlineData("61ffc328", "\"a\\ufffd\\ufffd(\"", "\"a\\ufffd\\ufffd(\"")]
    public void Strings_are_escaped_as_json_iterator_does(string hex, string label, string other)
    {
        var text = Convert.FromHexString(hex);
        Assert.Equal(label, Written(o => JsonText.WriteLabelText(o, text)));
        Assert.Equal(other, Written(o => JsonText.WriteString(o, text)));
    }

    [Fact]
    public void Histograms_list_their_filled_buckets()
    {
        var histogram = new FloatHistogram
        {
            Schema = 0,
            ZeroThreshold = 0.5,
            ZeroCount = 2,
            Count = 6,
            Sum = 4.5,
            NegativeSpans = [new(0, 1)],
            NegativeBuckets = [1],
            PositiveSpans = [new(0, 2)],
            PositiveBuckets = [0, 3],
        };
        Assert.Equal(
            "[1,{\"count\":\"6\",\"sum\":\"4.5\",\"buckets\":[[1,\"-1\",\"-0.5\",\"1\"],[3,\"-0.5\",\"0.5\",\"2\"],[0,\"1\",\"2\",\"3\"]]}]",
            Written(o => PrometheusJson.WriteHistogramPoint(o, 1000, histogram)));
        Assert.Equal("{\"count\":\"0\",\"sum\":\"0\"}", Written(o => PrometheusJson.WriteHistogram(o, new FloatHistogram())));
    }

    private static string Written(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
