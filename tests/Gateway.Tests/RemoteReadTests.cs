using System.Buffers.Binary;
using System.Net.Http.Headers;
using System.Text;
using Metrics.Model;
using Metrics.Storage;
using Metrics.Wire;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>Remote read as clients ask for it that want samples, and what is refused.</summary>
public sealed class RemoteReadTests
{
    private static readonly long now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    [Theory]
    [InlineData(new byte[0], "application/x-protobuf")]
    [InlineData(new byte[] { 0x10, 0 }, "application/x-protobuf")]
    [InlineData(new byte[] { 0x10, 0, 0x10, 1 }, "application/x-protobuf")]
    [InlineData(new byte[] { 0x10, 1, 0x10, 0 }, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")]
    [InlineData(new byte[] { 0x12, 2, 1, 0 }, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")]
    public async Task TheFirstOfTheAnswersThatAreAcceptedIsGiven(byte[] accepted, string type)
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync([], now, "__name__=m,i=1", "__name__=m,i=2", "__name__=n")).Code);
        var (status, answer, got) = await AskAsync(app, "m", accepted);
        Assert.Equal((200, type), (status, got));
        var message = type.Contains("stream", StringComparison.Ordinal) ? answer : Decompressed(answer);
        Assert.Equal(2, Encoding.Latin1.GetString(message).Split("__name__").Length - 1);
    }

    [Fact]
    public async Task ALongAnswerOfSamplesIsRefusedAndAStreamIsNot()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Query.MaxSamples = 2);
        Assert.Equal(204, (await app.WriteAsync([], now, "__name__=m,i=1", "__name__=m,i=2", "__name__=m,i=3")).Code);
        var (status, answer, _) = await AskAsync(app, "m", []);
        Assert.Equal((400, "exceeded sample limit (2): ask for less, or accept STREAMED_XOR_CHUNKS\n"), (status, Encoding.UTF8.GetString(answer)));
        Assert.Equal(200, (await AskAsync(app, "m", [0x10, 1])).Status);
    }

    [Fact]
    public async Task ABlockedQueryIsBlockedHereToo()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  default:\n    blocked_queries: [{pattern: '(m|.*\"m\".*)', regex: true, reason: too dear}]\n"));
        var (status, answer, _) = await AskAsync(app, "m", [0x10, 1]);
        Assert.Equal((422, true), (status, Encoding.UTF8.GetString(answer).Contains("blocked_queries", StringComparison.Ordinal)));
        Assert.Equal(200, (await AskAsync(app, "n", [0x10, 1])).Status);
    }

    [Fact]
    public async Task MessagesOfAStreamStayBelowAMebibyteAndHaveTheirChecksums()
    {
        const int Seed = 8;
        const int Count = 180_000;
        var random = new Random(Seed);
        await using var app = await RealGateway.StartAsync();
        var samples = Enumerable.Range(0, Count).Select(i => (now - Count + i, random.NextDouble())).ToArray();
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body(WriteMessage.Of(WriteMessage.Series("__name__=m", samples))))).Code);
        var (_, answer, _) = await AskAsync(app, "m", [0x10, 1]);
        var lengths = new List<int>();
        for (var rest = answer.AsSpan(); !rest.IsEmpty;)
        {
            ReadOnlySpan<byte> from = rest;
            var length = (int)Varint.Read(ref from);
            var message = from[4..(4 + length)];
            Assert.Equal(BinaryPrimitives.ReadUInt32BigEndian(from), Crc32C.Of(message));
            lengths.Add(length);
            rest = rest[(rest.Length - from.Length + 4 + length)..];
        }

        Assert.True(lengths.Count > 1, $"one message of {lengths[0]} bytes");
        Assert.All(lengths, l => Assert.InRange(l, 1, 1 << 20));
    }

    private static byte[] Decompressed(byte[] block)
    {
        using var message = SnappyDecoder.Decode(block, 1 << 20);
        return message.Span.ToArray();
    }

    private static async Task<(int Status, byte[] Body, string Type)> AskAsync(RealGateway app, string name, byte[] accepted)
    {
        byte[] matcher = [0x08, 0, .. WriteMessage.Field(2, "__name__"u8.ToArray()), .. WriteMessage.Field(3, Encoding.UTF8.GetBytes(name))];
        byte[] query = [0x08, .. WriteMessage.Number((ulong)(now - 3_600_000)), 0x10, .. WriteMessage.Number((ulong)now), .. WriteMessage.Field(3, matcher)];
        using var content = new ByteArrayContent(WriteMessage.Snappy([.. WriteMessage.Field(1, query), .. accepted]));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var answer = await app.Http.PostAsync(new Uri("/api/v1/read", UriKind.Relative), content);
        return ((int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(), answer.Content.Headers.ContentType?.ToString() ?? "");
    }
}
