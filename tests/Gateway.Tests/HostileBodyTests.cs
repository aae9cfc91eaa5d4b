using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Gateway.Tests;

[Collection(MemoryMeasurement.Name)]
public class HostileBodyTests
{
    private static readonly byte[] Good = WriteMessage.Of(
        WriteMessage.Series("__name__=up,job=a", (1700000000000, 1), (1700000015000, 2)),
        WriteMessage.Series("__name__=down", (1700000000000, 1)));

    [Fact]
    public async Task EveryPrefixOfABodyIsAnErrorOrAWholeMessage()
    {
        await using var app = await GatewayApp.StartAsync();
        var body = WriteMessage.Snappy(Good);
        for (var length = 0; length < body.Length; length++)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await app.WriteRawAsync(body[..length])).Status);
        }

        Assert.Empty(app.Cluster.Tenants);
    }

    [Fact]
    public async Task AnyByteChangedGivesAnAnswerAndNeverABug()
    {
        await using var app = await GatewayApp.StartAsync();
        var body = WriteMessage.Snappy(Good);
        Prop.ForAll(
            Gen.Two(Gen.Choose(0, body.Length - 1)).Zip(Gen.Two(Gen.Choose(1, 255))).ToArbitrary(),
            change =>
            {
                var changed = (byte[])body.Clone();
                changed[change.Item1.Item1] ^= (byte)change.Item2.Item1;
                changed[change.Item1.Item2] ^= (byte)change.Item2.Item2;
                var status = (int)app.WriteRawAsync(changed).GetAwaiter().GetResult().Status;
                return status is 204 or 400 or 413;
            }).QuickCheckThrowOnFailure();
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(Good)).Status);
    }

    [Fact]
    public async Task BombsAreRefusedWithoutTakingTheirMemory()
    {
        await using var app = await GatewayApp.StartAsync();
        byte[][] bombs =
        [
            [.. WriteMessage.Number(uint.MaxValue), 0, 0],
            [.. WriteMessage.Number(1 << 30), 0, 0],
            [.. WriteMessage.Number(100 << 20), .. new byte[1 << 20]],
            WriteMessage.Snappy([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
            WriteMessage.Snappy([.. Enumerable.Repeat((byte)0x0A, 100_000)]),
            WriteMessage.Snappy([.. Enumerable.Repeat((byte)0x0B, 100_000)]),
            WriteMessage.Snappy(WriteMessage.Field(1, [.. Enumerable.Repeat(new byte[] { 0x12, 0x00 }, 2_500_000).SelectMany(b => b)])),
            WriteMessage.Snappy(WriteMessage.Of(WriteMessage.Series("__name__=wide," + string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"l{i:d6}=v")), (1, 1)))),
            WriteMessage.Snappy(WriteMessage.Of(WriteMessage.Series("__name__=" + new string('x', 100_000), (1, 1)))),
        ];
        foreach (var bomb in bombs)
        {
            Assert.InRange((int)(await app.WriteRawAsync(bomb)).Status, 400, 413);
        }

        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var round = 0; round < 10; round++)
        {
            foreach (var bomb in bombs)
            {
                await app.WriteRawAsync(bomb);
            }
        }

        // Pools may keep a buffer for every thread that served a request; what ten rounds declare is fifty gigabytes.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 256L << 20);
        Assert.Contains("metrics_write_inflight_bytes 0\n", (await app.GetAsync("/metrics")).Body);
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(Good)).Status);
    }
}

/// <summary>Tests that measure the memory of the process: nothing else runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public static class MemoryMeasurement
{
    public const string Name = "memory measurement";
}
