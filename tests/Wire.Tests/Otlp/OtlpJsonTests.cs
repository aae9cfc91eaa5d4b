using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Wire.Tests;

public class OtlpJsonTests
{
    private const string Everything = """
        {"resourceMetrics":[{"schemaUrl":"x","resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s\u0068op"}},{"key":"n","value":{"intValue":"-5"}},
          {"key":"m","value":{"kvlistValue":{"values":[{"key":"b","value":{"boolValue":true}},{"key":"a","value":{"arrayValue":{"values":[{"doubleValue":0.5},{"bytesValue":"AQID"},{"intValue":7}]}}}]}}}]},
         "scopeMetrics":[{"scope":{"name":"lib","version":"1.2","attributes":[]},"schemaUrl":"u","metrics":[
          {"name":"g","unit":"s","description":"d","gauge":{"dataPoints":[{"timeUnixNano":"1000000","asDouble":"NaN","flags":1},{"timeUnixNano":2000000,"asInt":"-9223372036854775808"}]}},
          {"name":"c","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":3,"timeUnixNano":"1000000","attributes":[{"key":"k","value":{"stringValue":"v"}}],
            "exemplars":[{"timeUnixNano":"900000000","asDouble":1.5,"traceId":"0102","spanId":"Ab","filteredAttributes":[{"key":"u","value":{"stringValue":"x"}}]}]}]}},
          {"name":"h","histogram":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[{"timeUnixNano":"1000000","count":"3","sum":4.5,"bucketCounts":["1",2],"explicitBounds":[0.5],"min":0,"max":4}]}},
          {"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1000000","count":7,"sum":9,"scale":-3,"zeroCount":"2","zeroThreshold":0.25,
            "positive":{"offset":-4,"bucketCounts":["1","0","2"]},"negative":{"offset":5,"bucketCounts":["2"]}}]}},
          {"name":"q","summary":{"dataPoints":[{"timeUnixNano":"1000000","count":"2","sum":3,"quantileValues":[{"quantile":0.5,"value":1}],"somethingNew":{"a":[1,{}]}}]}},
          {"name":"none","gauge":null}]}]}]}
        """;

    [Fact]
    public void EveryPartOfARequestIsRead() =>
        Assert.Equal(
            [
                "resource service.name=shop n=-5 m={\"a\":[0.5,\"AQID\",7],\"b\":true}",
                "scope lib 1.2 u ",
                "Gauge g s 2 Unspecified False",
                "1 NaN stale",
                "2 -9.223372036854776E+18",
                "Sum c  1 Cumulative True",
                "1 3 k=v exemplar 900 1.5 0102 AB u=x",
                "Histogram h  1 Delta False",
                "1 3 4.5 [1,2] [0.5]",
                "ExponentialHistogram e  1 Cumulative False",
                "1 7 9 -3 2 0.25 -4[1,0,2] 5[2]",
                "Summary q  1 Unspecified False",
                "1 2 3 0.5=1",
                "None none  0 Unspecified False",
            ],
            OtlpReaderTests.Dump(Convert(Everything)));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{} {}")]
    [InlineData("nonsense")]
    [InlineData("""{"resourceMetrics":[1]}""")]
    [InlineData("""{"resourceMetrics":[{"resource":[]}]}""")]
    [InlineData("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":5}]}]}]}""")]
    [InlineData("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":"x"}]}}]}]}]}""")]
    [InlineData("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":1.5}]}}]}]}]}""")]
    [InlineData("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asDouble":"x"}]}}]}]}]}""")]
    [InlineData("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"isMonotonic":"yes"}}]}]}]}""")]
    [InlineData("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{"exemplars":[{"traceId":"xyz"}]}]}}]}]}]}""")]
    [InlineData("""{"resourceMetrics":[{"resource":{"attributes":[{"key":"\ud800"}]}}]}""")]
    public void WhatIsNoRequestIsRefused(string json) => Assert.Throws<WireFormatException>(() => Convert(json));

    [Fact]
    public void ValuesNestedTooDeepAreRefused()
    {
        var value = new StringBuilder();
        for (var i = 0; i < 100_000; i++)
        {
            value.Append("""{"arrayValue":{"values":[""");
        }

        Assert.Throws<WireFormatException>(() => Convert("""{"resourceMetrics":[{"resource":{"attributes":[{"key":"k","value":""" + value));
    }

    [Fact]
    public void TheLimitHoldsWhileTheMessageGrows()
    {
        var json = """{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[""" + string.Join(',', Enumerable.Repeat('0', 100_000)) + "]}]}}]}]}]}";
        using var writer = new ProtobufWriter();
        Assert.Equal(WireError.TooLarge, Assert.Throws<WireFormatException>(() => OtlpJson.Convert(Encoding.UTF8.GetBytes(json), writer, 10_000)).Error);
        Assert.InRange(writer.Written.Length, 10_000, 10_020);
    }

    [Fact]
    public void EveryPrefixIsRefused()
    {
        var json = Encoding.UTF8.GetBytes(Everything);
        for (var length = 0; length < json.Length; length++)
        {
            Assert.Throws<WireFormatException>(() => Convert(json[..length]));
        }
    }

    [Fact]
    public void AnyChangedBytesAreReadOrRefused()
    {
        var json = Encoding.UTF8.GetBytes(Everything);
        Prop.ForAll(
            Gen.Choose(0, json.Length - 1).Zip(Gen.Choose(0, 255)).ListOf(2).ToArbitrary(),
            changes =>
            {
                var changed = (byte[])json.Clone();
                foreach (var (at, value) in changes)
                {
                    changed[at] = (byte)value;
                }

                try
                {
                    // What is taken is a message that the reader takes.
                    OtlpReaderTests.Dump(Convert(changed));
                    return true;
                }
                catch (WireFormatException)
                {
                    return true;
                }
            }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(true, 0, "", "{}")]
    [InlineData(true, 3, "a \"b\"", """{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"a \"b\""}}""")]
    public void SuccessSaysWhatWasRejected(bool json, long rejected, string message, string want)
    {
        Assert.Equal(want, Encoding.UTF8.GetString(OtlpResponse.Success(json, rejected, message)));
        Assert.Equal(rejected == 0 ? [] : [0x0A, 0x09, 0x08, 0x03, 0x12, 0x05, .. "a \"b\""u8], OtlpResponse.Success(false, rejected, message));
    }

    [Fact]
    public void FailureIsAStatus()
    {
        Assert.Equal("""{"code":3,"message":"no"}""", Encoding.UTF8.GetString(OtlpResponse.Status(true, 3, "no")));
        Assert.Equal([0x08, 0x03, 0x12, 0x02, .. "no"u8], OtlpResponse.Status(false, 3, "no"));
    }

    private static byte[] Convert(string json) => Convert(Encoding.UTF8.GetBytes(json));

    private static byte[] Convert(byte[] json)
    {
        using var writer = new ProtobufWriter();
        OtlpJson.Convert(json, writer, 1 << 20);
        return writer.Written.ToArray();
    }
}
