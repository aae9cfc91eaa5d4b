using System.Buffers;
using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Metrics.Testing;
using Xunit;

namespace Metrics.Wire.Tests;

public class OtlpReaderTests
{
    private static readonly byte[] everything = OtlpBytes.Request(
        OtlpBytes.Resource(
            OtlpBytes.Attributes("service.name=shop,host=h1"),
            OtlpBytes.Scope(
                "lib", "1.2", "http://schema", OtlpBytes.Attributes("k=v"),
                OtlpBytes.Gauge("temperature", "Cel", OtlpBytes.Number(1000, 21.5, OtlpBytes.Attributes("room=1"), 1), OtlpBytes.Integer(1000, -7)),
                OtlpBytes.Sum("requests", "1", 2, true, OtlpBytes.Number(1000, 5, [], 0, OtlpBytes.Exemplar(900, 1.5, [1, 2], [3], OtlpBytes.Attributes("user=x")))),
                OtlpBytes.Histogram("latency", "s", 1, OtlpBytes.HistogramPoint(1000, 3, 4.5, [1, 2], [0.5], OtlpBytes.Attributes("path=/"), 0, OtlpBytes.Exemplar(900, 1, [1], [2]))),
                OtlpBytes.Exponential("size", "By", 2, OtlpBytes.ExponentialPoint(1000, 7, 9, 3, 2, (-4, [1, 0, 2]), (5, [2]), [], 0, 0.25)),
                OtlpBytes.Summary("old", "", OtlpBytes.SummaryPoint(1000, 2, 3, [(0.5, 1), (0.9, 2)])))));

    [Fact]
    public void EveryPartOfARequestIsRead() =>
        Assert.Equal(
            [
                "resource service.name=shop host=h1",
                "scope lib 1.2 http://schema k=v",
                "Gauge temperature Cel 2 Unspecified False",
                "1000 21.5 stale room=1",
                "1000 -7",
                "Sum requests 1 1 Cumulative True",
                "1000 5 exemplar 900 1.5 0102 03 user=x",
                "Histogram latency s 1 Delta False",
                "1000 3 4.5 [1,2] [0.5] path=/ exemplar 900 1 01 02",
                "ExponentialHistogram size By 1 Cumulative False",
                "1000 7 9 3 2 0.25 -4[1,0,2] 5[2]",
                "Summary old  1 Unspecified False",
                "1000 2 3 0.5=1 0.9=2",
            ],
            Dump(everything));

    [Fact]
    public void FieldsMayComeInAnyOrderAndNumbersUnpacked()
    {
        byte[] point =
        [
            .. OtlpBytes.Fixed(6, 1), .. OtlpBytes.Double(7, 0.5), .. OtlpBytes.Fixed(6, 2), .. OtlpBytes.Fixed(4, 3), .. OtlpBytes.Field(9, OtlpBytes.Attributes("a=b")[0]),
            .. OtlpBytes.Fixed(3, 2_000_000), .. OtlpBytes.Field(9, OtlpBytes.Attributes("c=d")[0]),
        ];
        byte[] metric = [.. OtlpBytes.Field(9, [.. OtlpBytes.Varint(2, 2), .. OtlpBytes.Field(1, point)]), .. OtlpBytes.Field(1, "h"u8.ToArray())];
        byte[] resource = [.. OtlpBytes.Field(2, OtlpBytes.Field(2, metric)), .. OtlpBytes.Field(1, OtlpBytes.Field(1, OtlpBytes.Attributes("r=1")[0]))];
        Assert.Equal(["resource r=1", "scope    ", "Histogram h  1 Cumulative False", "2 3 - [1,2] [0.5] a=b c=d"], Dump(OtlpBytes.Request(resource)));
    }

    public static TheoryData<string, byte[]> Values => new()
    {
        { "text", OtlpBytes.TextValue("text") },
        { "", [] },
        { "true", OtlpBytes.BoolValue(true) },
        { "false", OtlpBytes.BoolValue(false) },
        { "-5", OtlpBytes.IntegerValue(-5) },
        { "9223372036854775807", OtlpBytes.IntegerValue(long.MaxValue) },
        { "0.1", OtlpBytes.DoubleValue(0.1) },
        { "1e-7", OtlpBytes.DoubleValue(1e-7) },
        { "1e+21", OtlpBytes.DoubleValue(1e21) },
        { "100000000000000000000", OtlpBytes.DoubleValue(1e20) },
        { "AQID", OtlpBytes.BytesValue(1, 2, 3) },
        { "[\"a\",1,true,null,\"AQ==\"]", OtlpBytes.ArrayValue(OtlpBytes.TextValue("a"), OtlpBytes.IntegerValue(1), OtlpBytes.BoolValue(true), [], OtlpBytes.BytesValue(1)) },
        { "{\"a\":{\"x\":\"\\u003c\"},\"b\":2}", OtlpBytes.MapValue(OtlpBytes.Attribute("b", OtlpBytes.IntegerValue(2)), OtlpBytes.Attribute("a", OtlpBytes.MapValue(OtlpBytes.Attribute("x", OtlpBytes.TextValue("<"))))) },
        { "{\"a\":2}", OtlpBytes.MapValue(OtlpBytes.Attribute("a", OtlpBytes.IntegerValue(1)), OtlpBytes.Attribute("a", OtlpBytes.IntegerValue(2))) },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void AValueBecomesText(string want, byte[] value) =>
        Assert.Equal(["resource k=" + want], Dump(OtlpBytes.Request(OtlpBytes.Resource([OtlpBytes.Attribute("k", value)]))));

    [Fact]
    public void ValuesNestedTooDeepAreRefused()
    {
        var value = OtlpBytes.TextValue("x");
        for (var i = 0; i < OtlpValue.MaxDepth; i++)
        {
            value = OtlpBytes.ArrayValue(value);
        }

        Assert.Single(Dump(OtlpBytes.Request(OtlpBytes.Resource([OtlpBytes.Attribute("k", value)]))));
        for (var i = 0; i < 10_000; i++)
        {
            value = i % 1000 == 0 ? OtlpBytes.MapValue(OtlpBytes.Attribute("m", value)) : value;
        }

        var deep = OtlpBytes.Request(OtlpBytes.Resource([OtlpBytes.Attribute("k", OtlpBytes.ArrayValue(value))]));
        Assert.Equal(WireError.NestedTooDeep, Assert.Throws<WireFormatException>(() => Dump(deep)).Error);
    }

    [Fact]
    public void EveryPrefixIsReadOrRefusedAndNeverOverread()
    {
        var read = 0;
        for (var length = 0; length < everything.Length; length++)
        {
            try
            {
                Dump(everything[..length]);
                read++;
            }
            catch (WireFormatException e)
            {
                Assert.InRange(e.Offset, 0, length);
            }
        }

        // The message has one field, so nothing but the empty prefix is whole.
        Assert.Equal(1, read);
    }

    [Fact]
    public void AnyChangedBytesAreReadOrRefused() =>
        Prop.ForAll(
            Gen.Choose(0, everything.Length - 1).Zip(Gen.Choose(0, 255)).ListOf(4).ToArbitrary(),
            changes =>
            {
                var changed = (byte[])everything.Clone();
                foreach (var (at, value) in changes)
                {
                    changed[at] = (byte)value;
                }

                try
                {
                    Dump(changed);
                    return true;
                }
                catch (WireFormatException)
                {
                    return true;
                }
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void MoreNumbersThanTheLimitAreRefused()
    {
        var request = OtlpBytes.Request(OtlpBytes.Resource([], OtlpBytes.Scope("", OtlpBytes.Exponential("e", "", 2, OtlpBytes.ExponentialPoint(1, 1, 1, 0, 0, (0, new ulong[1001]), (0, []), [])))));
        Assert.Equal(WireError.TooLarge, Assert.Throws<WireFormatException>(() => Dump(request)).Error);
    }

    internal static List<string> Dump(byte[] request)
    {
        var lines = new List<string>();
        foreach (var resource in new OtlpRequestReader(request))
        {
            lines.Add("resource" + Text(resource.Attributes));
            foreach (var scope in resource.Scopes)
            {
                lines.Add($"scope {Text(scope.Name)} {Text(scope.Version)} {Text(scope.SchemaUrl)}{(Text(scope.Attributes) is { Length: > 0 } a ? a : " ")}");
                foreach (var metric in scope.Metrics)
                {
                    lines.Add($"{metric.Kind} {Text(metric.Name)} {Text(metric.Unit)} {metric.PointCount} {metric.Temporality} {metric.IsMonotonic}");
                    DumpPoints(metric, lines);
                }
            }
        }

        return lines;
    }

    private static void DumpPoints(OtlpMetricView metric, List<string> lines)
    {
        switch (metric.Kind)
        {
            case OtlpMetricKind.Gauge or OtlpMetricKind.Sum:
                foreach (var point in metric.Numbers)
                {
                    lines.Add($"{point.TimeUnixNano / 1000000} {N(point.Value)}{(point.HasNoValue ? " stale" : "")}{Text(point.Attributes)}{Text(point.Exemplars)}");
                }

                break;
            case OtlpMetricKind.Histogram:
                foreach (var point in metric.Histograms)
                {
                    lines.Add($"{point.TimeUnixNano / 1000000} {point.Count} {(point.HasSum ? N(point.Sum) : "-")} {Text(point.BucketCounts, false)} {Text(point.ExplicitBounds, true)}{Text(point.Attributes)}{Text(point.Exemplars)}");
                }

                break;
            case OtlpMetricKind.ExponentialHistogram:
                foreach (var point in metric.ExponentialHistograms)
                {
                    lines.Add($"{point.TimeUnixNano / 1000000} {point.Count} {N(point.Sum)} {point.Scale} {point.ZeroCount} {N(point.ZeroThreshold)} {point.Positive.Offset}{Text(point.Positive.Counts, false)} {point.Negative.Offset}{Text(point.Negative.Counts, false)}{Text(point.Attributes)}");
                }

                break;
            case OtlpMetricKind.Summary:
                foreach (var point in metric.Summaries)
                {
                    var line = $"{point.TimeUnixNano / 1000000} {point.Count} {N(point.Sum)}{Text(point.Attributes)}";
                    foreach (var quantile in point.Quantiles)
                    {
                        line += $" {N(quantile.Quantile)}={N(quantile.Value)}";
                    }

                    lines.Add(line);
                }

                break;
        }
    }

    private static string N(double value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    private static string Text(OtlpAttributeEnumerator attributes)
    {
        var text = "";
        foreach (var attribute in attributes)
        {
            text += $" {Text(attribute.Key)}={Text(attribute.Value.ToText(new ArrayBufferWriter<byte>()))}";
        }

        return text;
    }

    private static string Text(OtlpExemplarEnumerator exemplars)
    {
        var text = "";
        foreach (var exemplar in exemplars)
        {
            text += $" exemplar {exemplar.TimeUnixNano / 1000000} {N(exemplar.Value)} {Convert.ToHexString(exemplar.TraceId)} {Convert.ToHexString(exemplar.SpanId)}{Text(exemplar.FilteredAttributes)}";
        }

        return text;
    }

    private static string Text(OtlpNumberList list, bool doubles)
    {
        ulong[] numbers = [];
        var count = list.CopyTo(ref numbers, 1000);
        return $"[{string.Join(',', numbers.Take(count).Select(n => doubles ? N(BitConverter.UInt64BitsToDouble(n)) : n.ToString(CultureInfo.InvariantCulture)))}]";
    }
}
