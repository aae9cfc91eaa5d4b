using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests.Chunks;

public sealed class XorChunkTests
{
    private static readonly double[] Nasty =
    [
        0, -0.0, 1, -1, 1.5, 12, 1e-300, double.Epsilon, double.MaxValue, double.PositiveInfinity, double.NegativeInfinity, double.NaN,
        BitConverter.UInt64BitsToDouble(StaleMarker.Bits), BitConverter.UInt64BitsToDouble(0x7ff8dead_beef0001), 123456.789, 0.1,
    ];

    /// <summary>Bytes worked out by hand from tsdb/chunkenc/xor.go: count, varint time, raw value, uvarint delta, one bit each for "same value", "same delta", ...</summary>
    [Fact]
    public void AConstantAtARegularIntervalTakesTwoBitsASample()
    {
        var chunk = Encode([1000, 1015, 1030, 1045], [12, 12, 12, 12]);
        Assert.Equal("0004" + "d00f" + "4028000000000000" + "0f" + "00", Convert.ToHexString(chunk).ToLowerInvariant());
    }

    [Fact]
    public void DeltasOfEveryClassComeBack()
    {
        long[] steps = [1, 1, 8192, 1, 8193, 65_536, 65_537, 524_288, 524_289, 1, 1L << 40, 3];
        var times = new List<long> { -5_000_000_000 };
        foreach (var step in steps)
        {
            times.Add(times[^1] + step);
        }

        Same([.. times], [.. times.Select((_, i) => Nasty[i % Nasty.Length])]);
    }

    [Fact]
    public void AnySamplesComeBackBitByBit() => Prop.ForAll(
        ArbMap.Default.ArbFor<(ushort Step, long Bits, bool Nasty)[]>(),
        samples =>
        {
            samples = [.. samples.Take(200)];
            var time = 0L;
            var times = samples.Select(s => time += 1 + s.Step).ToArray();
            Same(times, [.. samples.Select(s => s.Nasty ? Nasty[(int)((ulong)s.Bits % (ulong)Nasty.Length)] : BitConverter.Int64BitsToDouble(s.Bits))]);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void OnlySamplesInTheRangeAreDecoded()
    {
        var chunk = Encode([10, 20, 30, 40], [1, 2, 3, 4]);
        using var samples = new SampleBuffer();
        XorChunk.Decode(chunk, new TimeRange(20, 30), samples);
        Assert.Equal([20, 30], samples.Times.ToArray());
        Assert.Equal([2, 3], samples.Values.ToArray());
    }

    [Fact]
    public void AReaderMayKnowFewerSamplesThanThereAre()
    {
        var chunk = Encode([10, 20, 30], [1, 2, 3]);
        using var samples = new SampleBuffer();
        XorChunk.Decode(chunk, 2, TimeRange.All, samples);
        Assert.Equal([10, 20], samples.Times.ToArray());
    }

    /// <summary>A damaged chunk may decode to other samples, for its checksum lies outside; but it ends in an error or in ascending times, never beyond its bytes.</summary>
    [Fact]
    public void EveryPrefixAndEveryFlippedBitIsSurvived()
    {
        var random = new Random(1);
        var chunk = Encode([.. Enumerable.Range(0, 60).Select(i => (i * 15_000L) + random.Next(5))], [.. Enumerable.Range(0, 60).Select(i => Nasty[i % Nasty.Length])]);
        for (var length = 0; length < chunk.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => Decode(chunk[..length]));
        }

        for (var bit = 0; bit < chunk.Length * 8; bit++)
        {
            var damaged = (byte[])chunk.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                var times = Decode(damaged);
                Assert.True(times.Zip(times.Skip(1)).All(p => p.First < p.Second));
            }
            catch (InvalidDataException e)
            {
                Assert.Contains("XOR chunk", e.Message, StringComparison.Ordinal);
            }
        }
    }

    private static byte[] Encode(long[] times, double[] values)
    {
        var buffer = new byte[XorChunk.MaxBytes(times.Length)];
        return buffer[..XorChunk.Encode(times, values, buffer)];
    }

    private static long[] Decode(byte[] chunk)
    {
        using var samples = new SampleBuffer();
        XorChunk.Decode(chunk, TimeRange.All, samples);
        return samples.Times.ToArray();
    }

    private static void Same(long[] times, double[] values)
    {
        if (times.Length == 0)
        {
            return;
        }

        var chunk = Encode(times, values);
        using var samples = new SampleBuffer();
        XorChunk.Decode(chunk, TimeRange.All, samples);
        Assert.Equal(times.Length, XorChunk.Count(chunk));
        Assert.Equal(times, samples.Times.ToArray());
        Assert.Equal(values.Select(BitConverter.DoubleToUInt64Bits), samples.Values.ToArray().Select(BitConverter.DoubleToUInt64Bits));
        for (var i = 0; i < times.Length; i++)
        {
            Assert.True(XorChunk.TryFind(chunk, times.Length, times[i], out var bits));
            Assert.Equal(BitConverter.DoubleToUInt64Bits(values[i]), bits);
            Assert.False(XorChunk.TryFind(chunk, times.Length, times[i] + 1, out _) && (i + 1 == times.Length || times[i + 1] != times[i] + 1));
        }
    }
}
