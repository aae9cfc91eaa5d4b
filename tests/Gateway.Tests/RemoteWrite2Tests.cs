using System.Buffers.Binary;
using System.Net;
using System.Text;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>Remote write 2.0 over HTTP: symbols, samples, native histograms, metadata, the headers that tell what was written, and hostile messages.</summary>
public class RemoteWrite2Tests
{
    private const string ContentType = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

    [Fact]
    public async Task SamplesHistogramsAndMetadataAreStoredAndCounted()
    {
        await using var app = await GatewayApp.StartAsync();
        var message = Message(
            ["", "__name__", "up", "job", "b", "requests", "Requests so far.", "1"],
            Series([1, 2, 3, 4], Sample(1000, 1), Sample(2000, 0.5)),
            Series([1, 5], Histogram(3000, count: 3, sum: 4.5), Metadata(type: 1, help: 6, unit: 7)),
            Series([3, 4, 1, 2], Sample(4000, 2)));
        for (var round = 0; round < 2; round++)
        {
            var (status, written, _) = await SendAsync(app, message);
            Assert.Equal((HttpStatusCode.NoContent, "3 1 0"), (status, written));
        }

        Assert.Equal(["requests 3000 {count:3, sum:4.5, (0.5,1]:3}", "up{job=\"b\"} 1000 1", "up{job=\"b\"} 2000 0.5", "up{job=\"b\"} 4000 2"], app.Cluster["default"].Samples);
        var entry = Assert.Single(app.Cluster["default"].Metadata.Get("requests", 0, 0)["requests"]);
        Assert.Equal(("counter", "Requests so far.", "1"), (entry.Type, entry.Help, entry.Unit));
    }

    [Fact]
    public async Task TheSameSeriesIsKnownFromBothProtocols()
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up,job=b", (1, 1))))).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(app, Message(["", "__name__", "up", "job", "b"], Series([1, 2, 3, 4], Sample(2, 2))))).Status);
        Assert.Equal(["up{job=\"b\"} 1 1", "up{job=\"b\"} 2 2"], app.Cluster["default"].Samples);
    }

    public static TheoryData<string, byte[]> Malformed => new()
    {
        { "the first symbol is not the empty string", Message(["x", "__name__"], Series([1, 1], Sample(1, 1))) },
        { "", Message(["", "__name__"], Series([1, 7], Sample(1, 1))) },
        { "", Message(["", "__name__", "a"], Series([1], Sample(1, 1))) },
        { "samples and histograms", Message(["", "__name__", "a"], Series([1, 2], Sample(1, 1), Histogram(1, 1, 1))) },
        { "", [0x2a, 0xff, 0xff, 0xff, 0xff, 0x07] },
        { "", [0xff] },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task AMalformedMessageIs400WithNothingWritten(string says, byte[] message)
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, written, text) = await SendAsync(app, message);
        Assert.Equal((HttpStatusCode.BadRequest, "0 0 0"), (status, written));
        Assert.Contains(says, text, StringComparison.Ordinal);
        Assert.Empty(app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task RefusedSamplesDoNotRefuseTheirNeighbours()
    {
        await using var app = await GatewayApp.StartAsync();
        var message = Message(["", "__name__", "a", "b"], Series([1, 2], Sample(1, 1)), Series([2, 3], Sample(1, 1)), Series([1, 3], Histogram(5, count: 3, sum: 1, inBucket: 4)));
        var (status, written, text) = await SendAsync(app, message);
        Assert.Equal((HttpStatusCode.BadRequest, "1 0 0"), (status, written));
        Assert.Contains("invalid native histogram", text, StringComparison.Ordinal);
        Assert.Equal(["a 1 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task FewBytesThatStandForManyLabelsAreTooLarge()
    {
        await using var app = await GatewayApp.StartAsync(options => options.RemoteWrite.MaxDecompressed = new(1 << 20));
        var refs = Enumerable.Repeat<uint>(1, 128).ToArray();
        var message = Message(["", new string('x', 4000)], [.. Enumerable.Range(0, 40).Select(_ => Series(refs, Sample(1, 1)))]);
        var (status, written, text) = await SendAsync(app, message);
        Assert.Equal(((HttpStatusCode)413, "0 0 0"), (status, written));
        Assert.Contains("labels", text, StringComparison.Ordinal);
    }

    private static async Task<(HttpStatusCode Status, string Written, string Text)> SendAsync(GatewayApp app, byte[] message)
    {
        using var response = await app.AskAsync(
            HttpMethod.Post, "/api/v1/write", GatewayApp.WriteContent(WriteMessage.Snappy(message)), ("Content-Type", ContentType), ("X-Prometheus-Remote-Write-Version", "2.0.0"));
        var written = new[] { "Samples", "Histograms", "Exemplars" }.Select(kind => response.Headers.GetValues($"X-Prometheus-Remote-Write-{kind}-Written").Single());
        return (response.StatusCode, string.Join(' ', written), await response.Content.ReadAsStringAsync());
    }

    private static byte[] Message(string[] symbols, params byte[][] series) =>
        [.. symbols.SelectMany(s => WriteMessage.Field(4, Encoding.UTF8.GetBytes(s))), .. series.SelectMany(s => WriteMessage.Field(5, s))];

    private static byte[] Series(uint[] labels, params byte[][] parts) => [.. WriteMessage.Field(1, [.. labels.SelectMany(l => WriteMessage.Number(l))]), .. parts.SelectMany(p => p)];

    private static byte[] Sample(long timeMs, double value) => WriteMessage.Field(2, [0x09, .. Double(value), 0x10, .. WriteMessage.Number((ulong)timeMs)]);

    // Count and sum, schema 0, one span of one bucket, the bucket's delta, and the time.
    private static byte[] Histogram(long timeMs, ulong count, double sum, ulong? inBucket = null) => WriteMessage.Field(3,
    [
        0x08, .. WriteMessage.Number(count), 0x19, .. Double(sum),
        .. WriteMessage.Field(11, [0x08, 0x00, 0x10, 0x01]), .. WriteMessage.Field(12, WriteMessage.Number((inBucket ?? count) * 2)), 0x78, .. WriteMessage.Number((ulong)timeMs),
    ]);

    private static byte[] Metadata(byte type, byte help, byte unit) => WriteMessage.Field(5, [0x08, type, 0x18, help, 0x20, unit]);

    private static byte[] Double(double value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
        return bytes;
    }
}
