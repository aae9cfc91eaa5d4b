using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.Testing;
using Xunit;

namespace Metrics.Storage.Tests.Dense;

/// <summary>Single chunks with their times inline: any samples come back, any bytes end in samples or an error.</summary>
public sealed class DenseChunkTests
{
    [Fact]
    public void AnySamplesComeBackBitByBit() => Prop.ForAll(
        ArbMap.Default.ArbFor<(ushort Step, long Bits)[]>(),
        ArbMap.Default.ArbFor<(long Start, bool Regular, long From, ushort Length)>(),
        (samples, how) =>
        {
            samples = [.. samples.Take(DenseChunk.MaxSamples)];
            if (samples.Length == 0)
            {
                return;
            }

            var time = how.Start / 2;
            var times = samples.Select(s => time += how.Regular ? 15_000 : 1 + s.Step).ToArray();
            var values = samples.Select(s => BitConverter.Int64BitsToDouble(s.Bits)).ToArray();
            var chunk = Encode(times, values);
            var range = new TimeRange(times[0] + (how.From % 10_000), times[0] + (how.From % 10_000) + how.Length);
            Assert.Equal(Want(times, values, TimeRange.All), Decode(chunk, TimeRange.All));
            Assert.Equal(Want(times, values, range), Decode(chunk, range));
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void EveryPrefixIsAnErrorAndEveryFlippedBitIsSurvived(int seed)
    {
        var random = new Random(seed);
        var count = random.Next(2, 150);
        var values = ValueShapes.Hostile(count, seed);
        var chunk = Encode([.. Enumerable.Range(0, count).Select(i => (i * 15_000L) + random.Next(5))], values);
        for (var length = 0; length < chunk.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => Decode(chunk[..length], TimeRange.All));
        }

        Assert.Throws<InvalidDataException>(() => Decode([.. chunk, 0], TimeRange.All));
        for (var bit = 0; bit < chunk.Length * 8; bit++)
        {
            var damaged = chunk.ToArray();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Survives(damaged, $"seed {seed}, bit {bit}");
        }
    }

    /// <summary>Bytes that no encoder wrote, begun as a chunk so that they get far.</summary>
    [Fact]
    public void AnyBytesAreSurvived()
    {
        for (var seed = 0; seed < 20_000; seed++)
        {
            var random = new Random(seed);
            var bytes = new byte[random.Next(80)];
            random.NextBytes(bytes);
            if (bytes.Length > 4)
            {
                bytes[0] = 0;
                bytes[2] = (byte)random.Next(5);
                bytes[3] &= 0x3f;
            }

            Survives(bytes, $"seed {seed}");
        }
    }

    [Theory]
    [InlineData(TimeFormByte.Whole)]
    [InlineData(TimeFormByte.Slice)]
    public void AChunkOutsideASegmentHasNoColumn(TimeFormByte form)
    {
        var error = Assert.Throws<InvalidDataException>(() => Decode([0, 2, (byte)form, 9, 0, 0, 0], TimeRange.All));
        Assert.Contains("in no segment", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ChunkEncoding.TimeColumn, "a time column stands where a chunk should")]
    [InlineData((ChunkEncoding)0x12, "chunk encoding 18 is not known")]
    public void OtherEncodingsAreRefusedByName(ChunkEncoding encoding, string message)
    {
        using var into = new SampleBuffer();
        Assert.Equal(message, Assert.Throws<InvalidDataException>(() => ChunkDecoding.Decode(encoding, [0, 1, 0], TimeRange.All, into)).Message);
    }

    [Fact]
    public void WindowsAreSharedByAllThatAreScrapedAtOneInterval()
    {
        foreach (var (interval, hours) in ((int, double)[])[(1, 0.25), (5, 1), (10, 2), (15, 4), (30, 4), (60, 12), (300, 48), (3600, 168)])
        {
            var times = Enumerable.Range(0, 500).Select(i => (i * interval * 1000L) + (i % 3)).ToArray();
            Assert.Equal(hours * 3_600_000, ChunkWindows.LengthFor(times));
        }

        long[] fast = [.. Enumerable.Range(-700, 3000).Select(i => (long)i)];
        for (var at = 0; at < fast.Length;)
        {
            var end = ChunkWindows.EndOf(fast, at, ChunkWindows.LengthFor(fast));
            Assert.InRange(end - at, 1, DenseChunk.MaxSamples);
            at = end;
        }

        // The ends of time.
        long[] far = [long.MinValue, 0, long.MaxValue];
        Assert.InRange(ChunkWindows.EndOf(far, 0, ChunkWindows.LengthFor(far)), 1, 3);
        Assert.InRange(ChunkWindows.EndOf(far, 2, ChunkWindows.LengthFor(far)), 3, 3);
    }

    /// <summary>How times are coded, as the third byte of a chunk says.</summary>
    public enum TimeFormByte : byte
    {
        Whole = 1 << 3,
        Slice = 2 << 3,
    }

    internal static byte[] Encode(long[] times, double[] values)
    {
        var encoded = new ValueEncoder().Encode(values, out var form);
        var bytes = new byte[DenseChunk.Header.MaxBytes + IntegerEncoder.MaxBytes(times.Length) + encoded.Length];
        var at = new DenseChunk.Header(times.Length, DenseChunk.TimeForm.Inline, form, 0, 0, 0).Write(bytes);
        at += new IntegerEncoder().Encode(times, bytes.AsSpan(at));
        encoded.CopyTo(bytes.AsSpan(at));
        return bytes[..(at + encoded.Length)];
    }

    private static void Survives(byte[] bytes, string what)
    {
        try
        {
            var times = Decode(bytes, TimeRange.All).ConvertAll(s => s.Time);
            Assert.True(times.Zip(times.Skip(1)).All(p => p.First < p.Second), what);
            Decode(bytes, new TimeRange(20_000, 40_000));
        }
        catch (InvalidDataException e)
        {
            Assert.Matches("^(damaged |an XOR chunk )", e.Message);
        }
    }

    private static List<(long Time, ulong Bits)> Want(long[] times, double[] values, TimeRange range) =>
        [.. times.Zip(values, (t, v) => (t, BitConverter.DoubleToUInt64Bits(v))).Where(s => range.Contains(s.t))];

    private static List<(long Time, ulong Bits)> Decode(byte[] chunk, TimeRange range)
    {
        using var samples = new SampleBuffer();
        samples.Add(long.MinValue, 1);
        ChunkDecoding.Decode(ChunkEncoding.Dense, chunk, range, samples);
        return [.. samples.Times.ToArray().Zip(samples.Values.ToArray(), (t, v) => (t, BitConverter.DoubleToUInt64Bits(v))).Skip(1)];
    }
}
