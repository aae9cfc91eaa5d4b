using System.Text;
using Metrics.Gateway.Tests.FrontEnd;
using Metrics.Model;
using Metrics.PromQL.Tests.Reference;
using Xunit;

namespace Metrics.Gateway.Tests.Federation;

public sealed class FederationTests
{
    private const string Protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    private static readonly FloatHistogram native = new() { Schema = 1, Count = 5.5, Sum = 18, ZeroThreshold = 0.001, ZeroCount = 1, PositiveSpans = [new(-1, 2), new(3, 1)], PositiveBuckets = [1, 2, 1.5] };
    private static readonly FloatHistogram custom = new() { Schema = FloatHistogram.CustomBucketsSchema, Count = 6, Sum = 12, CustomValues = [0.5, 2, 7], PositiveSpans = [new(0, 1), new(1, 2)], PositiveBuckets = [1, 2, 3] };

    [Fact]
    public async Task TextHasExternalLabelsThatAreMissingAndCustomBucketsAsClassicOnes()
    {
        await using var world = new StoredSeries();
        using var client = await ServeAsync(world);
        var text = await client.GetStringAsync(new Uri("/federate?match[]={__name__!=\"\"}", UriKind.Relative));
        Assert.Equal(
            """
            # TYPE custom histogram
            custom_bucket{region="eu",zone="z",instance="",le="0.5"} 1 60000
            custom_bucket{region="eu",zone="z",instance="",le="2"} 1 60000
            custom_bucket{region="eu",zone="z",instance="",le="7"} 3 60000
            custom_bucket{region="eu",zone="z",instance="",le="+Inf"} 6 60000
            custom_sum{region="eu",zone="z",instance=""} 12 60000
            custom_count{region="eu",zone="z",instance=""} 6 60000
            # TYPE up untyped
            up{instance="i",zone="own",region="eu"} 1 60000

            """.ReplaceLineEndings("\n"),
            text);
    }

    [Theory]
    [InlineData(Protobuf, true)]
    [InlineData(Protobuf + ";q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true)]
    [InlineData("application/openmetrics-text;version=1.0.0,text/plain;q=0.5," + Protobuf + ";q=0.2", false)]
    [InlineData("application/vnd.google.protobuf;encoding=text", false)]
    [InlineData("*/*", false)]
    public async Task ProtobufIsForWhoAcceptsItMoreGladly(string accept, bool isProtobuf)
    {
        await using var world = new StoredSeries();
        using var client = await ServeAsync(world);
        client.DefaultRequestHeaders.TryAddWithoutValidation("Accept", accept);
        using var answer = await client.GetAsync(new Uri("/federate?match[]=up", UriKind.Relative));
        Assert.Equal(isProtobuf ? "application/vnd.google.protobuf" : "text/plain", answer.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task ProtobufHasNativeHistogramsAsTheyAre()
    {
        await using var world = new StoredSeries();
        using var client = await ServeAsync(world);
        client.DefaultRequestHeaders.TryAddWithoutValidation("Accept", Protobuf);
        var got = await client.GetByteArrayAsync(new Uri("/federate?match[]=native&match[]=up", UriKind.Relative));

        byte[] histogram =
        [
            .. Double(4, 5.5), .. Double(2, 18), 5 << 3, 2, .. Double(6, 0.001), .. Double(8, 1),
            .. WriteMessage.Field(12, [1 << 3, 1, 2 << 3, 2]), .. WriteMessage.Field(12, [1 << 3, 6, 2 << 3, 1]), .. Double(14, 1), .. Double(14, 2), .. Double(14, 1.5),
        ];
        byte[] time = [6 << 3, .. WriteMessage.Number(60_000)];
        byte[] nativeFamily =
        [
            .. Text(1, "native"), 3 << 3, 4,
            .. WriteMessage.Field(4, [.. Pair("region", "eu"), .. Pair("zone", "z"), .. Pair("instance", ""), .. WriteMessage.Field(7, histogram), .. time]),
        ];
        byte[] upFamily =
        [
            .. Text(1, "up"), 3 << 3, 3,
            .. WriteMessage.Field(4, [.. Pair("instance", "i"), .. Pair("zone", "own"), .. Pair("region", "eu"), .. WriteMessage.Field(5, Double(1, 1)), .. time]),
        ];
        Assert.Equal([.. WriteMessage.Number((ulong)nativeFamily.Length), .. nativeFamily, .. WriteMessage.Number((ulong)upFamily.Length), .. upFamily], got);
    }

    private static async Task<HttpClient> ServeAsync(StoredSeries world)
    {
        world.Time.Now = DateTimeOffset.UnixEpoch.AddMinutes(2);
        var client = await world.ServeAsync(o => o.Rules.ExternalLabels = ["zone=z", "region=eu"]);
        await world.WriteAsync(
        [
            new NaiveSeries(Labels.Of(("__name__", "up"), ("instance", "i"), ("zone", "own")), [new NaiveSample(60_000, 1)]),
            new NaiveSeries(Labels.Of(("__name__", "native")), [new NaiveSample(60_000, 0, native)]),
            new NaiveSeries(Labels.Of(("__name__", "custom")), [new NaiveSample(60_000, 0, custom)]),
            new NaiveSeries(Labels.Of(("__name__", "ended")), [new NaiveSample(59_000, 1), new NaiveSample(60_000, StaleMarker.Value)]),
        ]);
        return client;
    }

    private static byte[] Text(int field, string text) => WriteMessage.Field(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Pair(string name, string value) => WriteMessage.Field(1, [.. Text(1, name), .. Text(2, value)]);

    private static byte[] Double(int field, double value) => [(byte)((field << 3) | 1), .. BitConverter.GetBytes(value)];
}
