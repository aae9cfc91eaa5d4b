using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests;

public class HistogramChunkTests
{
    public static TheoryData<ChunkEncoding, int> Cases
    {
        get
        {
            var cases = new TheoryData<ChunkEncoding, int>();
            for (var seed = 1; seed <= 40; seed++)
            {
                cases.Add(seed % 2 == 0 ? ChunkEncoding.Histogram : ChunkEncoding.FloatHistogram, seed);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void WhatWasEncodedIsDecoded(ChunkEncoding encoding, int seed)
    {
        var (samples, bytes) = Encode(encoding, seed);
        using var decoded = new SampleBuffer();
        Decode(encoding, bytes, TimeRange.All, decoded);
        Assert.Equal(samples.Count, decoded.Count);
        for (var i = 0; i < samples.Count; i++)
        {
            Assert.Equal(samples[i].Time, decoded.Times[i]);
            AssertSame(samples[i].Histogram, decoded.Histograms[i]!, i);
        }
    }

    [Fact]
    public void SamplesOutsideTheRangeAreLeftOut()
    {
        var (samples, bytes) = Encode(ChunkEncoding.Histogram, 2);
        using var decoded = new SampleBuffer();
        Decode(ChunkEncoding.Histogram, bytes, new TimeRange(samples[3].Time, samples[5].Time), decoded);
        Assert.Equal(samples[3..6].Select(s => s.Time), decoded.Times.ToArray());
        AssertSame(samples[4].Histogram, decoded.Histograms[1]!, 4);
    }

    [Fact]
    public void ACounterResetEndsTheChunkAndIsSaidInTheNextHeader()
    {
        var encoder = new HistogramChunkEncoder(ChunkEncoding.Histogram);
        encoder.Begin(CounterResetHint.Unknown);
        Assert.True(encoder.TryAppend(1, new FloatHistogram { Count = 5, ZeroCount = 5, Sum = 1 }));
        Assert.False(encoder.TryAppend(2, new FloatHistogram { Count = 4, ZeroCount = 4, Sum = 1 }));
        Assert.Equal(CounterResetHint.Reset, encoder.NextHint);
        encoder.Begin(encoder.NextHint);
        Assert.True(encoder.TryAppend(2, new FloatHistogram { Count = 4, ZeroCount = 4, Sum = 1 }));
        Assert.Equal(0x80, encoder.ToBytes()[2]);
        Assert.False(encoder.TryAppend(3, new FloatHistogram { Count = 6, ZeroCount = 6, Sum = 1, Schema = 3 }));
        Assert.Equal(CounterResetHint.Unknown, encoder.NextHint);
        Assert.True(encoder.TryAppend(3, new FloatHistogram { Sum = StaleMarker.Value }));
        Assert.False(encoder.TryAppend(4, new FloatHistogram { Count = 6, ZeroCount = 6, Sum = 1 }));
    }

    [Theory]
    [InlineData(0, "00")]
    [InlineData(1, "F4")] // 0.5 * 2^1
    [InlineData(2.938735877055719e-39, "74")] // 2^-128, Prometheus's default
    public void ZeroThresholdsThatArePowersOfTwoTakeOneByte(double threshold, string hex)
    {
        var encoder = new HistogramChunkEncoder(ChunkEncoding.Histogram);
        encoder.Begin(CounterResetHint.Unknown);
        encoder.TryAppend(0, new FloatHistogram { ZeroThreshold = threshold });
        Assert.Equal(hex, Convert.ToHexString(encoder.ToBytes().AsSpan(3, 1)));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void DamagedChunksGiveAnErrorAndNothingWorse(ChunkEncoding encoding, int seed)
    {
        var (_, bytes) = Encode(encoding, seed);
        using var decoded = new SampleBuffer();
        for (var length = 0; length < bytes.Length - 1; length++)
        {
            decoded.Clear();
            Assert.Throws<InvalidDataException>(() => Decode(encoding, bytes[..length], TimeRange.All, decoded));
        }

        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            decoded.Clear();
            var flipped = bytes.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                Decode(encoding, flipped, TimeRange.All, decoded);
            }
            catch (InvalidDataException)
            {
                // Expected of most flips; the checksum of the block catches the others.
            }
        }
    }

    private static void Decode(ChunkEncoding encoding, byte[] bytes, TimeRange range, SampleBuffer into)
    {
        if (encoding == ChunkEncoding.Histogram)
        {
            HistogramChunk.Decode(bytes, range, into);
        }
        else
        {
            FloatHistogramChunk.Decode(bytes, range, into);
        }
    }

    private static (List<(long Time, FloatHistogram Histogram)> Samples, byte[] Bytes) Encode(ChunkEncoding encoding, int seed)
    {
        var random = new Random(seed);
        var custom = seed % 3 == 0;
        var positive = new[] { new HistogramSpan(random.Next(-5, 5), 2), new HistogramSpan(3, (uint)random.Next(1, 40)) };
        var negative = custom || seed % 4 == 0 ? [] : new[] { new HistogramSpan(-300, 3) };
        var last = new FloatHistogram
        {
            Schema = custom ? FloatHistogram.CustomBucketsSchema : random.Next(-4, 9),
            ZeroThreshold = seed % 5 == 0 ? 0.3 : 0.001,
            PositiveSpans = positive,
            NegativeSpans = negative,
            PositiveBuckets = new double[2 + positive[1].Length],
            NegativeBuckets = new double[negative.Sum(s => s.Length)],
            CustomValues = custom ? [-1.5, 0, 0.001, 0.1, 3.14159, 33554.43, 33554.431, 1e9] : [],
            CounterResetHint = seed % 7 == 0 ? CounterResetHint.Gauge : CounterResetHint.Unknown,
        };
        var encoder = new HistogramChunkEncoder(encoding);
        encoder.Begin(last.CounterResetHint);
        var samples = new List<(long, FloatHistogram)>();
        var time = random.NextInt64(-1L << 40, 1L << 40);
        for (var i = 0; i < 12; i++)
        {
            var scale = i == 7 ? 1e12 : 20;
            last = Grown(last, () => encoding == ChunkEncoding.Histogram ? Math.Floor(random.NextDouble() * scale) : random.NextDouble() * scale);
            if (i == 11)
            {
                last = new FloatHistogram { Sum = StaleMarker.Value, CounterResetHint = last.CounterResetHint };
            }

            Assert.True(encoder.TryAppend(time, last));
            samples.Add((time, last));
            time += random.NextInt64(1, i == 5 ? 1L << 45 : 30_000);
        }

        return (samples, encoder.ToBytes());
    }

    private static FloatHistogram Grown(FloatHistogram h, Func<double> more) => new()
    {
        CounterResetHint = h.CounterResetHint,
        Schema = h.Schema,
        ZeroThreshold = h.ZeroThreshold,
        ZeroCount = h.ZeroCount + more(),
        Count = h.Count + more(),
        Sum = h.Sum + more() - 3.7,
        PositiveSpans = h.PositiveSpans,
        NegativeSpans = h.NegativeSpans,
        PositiveBuckets = [.. h.PositiveBuckets.Select(b => b + more())],
        NegativeBuckets = [.. h.NegativeBuckets.Select(b => b + more())],
        CustomValues = h.CustomValues,
    };

    private static void AssertSame(FloatHistogram want, FloatHistogram got, int position)
    {
        Assert.Equal(BitConverter.DoubleToUInt64Bits(want.Sum), BitConverter.DoubleToUInt64Bits(got.Sum));
        if (StaleMarker.Is(want.Sum))
        {
            return;
        }

        var hint = want.CounterResetHint == CounterResetHint.Gauge ? CounterResetHint.Gauge : position == 0 ? CounterResetHint.Unknown : CounterResetHint.NotReset;
        Assert.Equal((hint, want.Schema, want.ZeroThreshold, want.ZeroCount, want.Count), (got.CounterResetHint, got.Schema, got.ZeroThreshold, got.ZeroCount, got.Count));
        Assert.Equal(want.PositiveSpans, got.PositiveSpans);
        Assert.Equal(want.NegativeSpans, got.NegativeSpans);
        Assert.Equal(want.PositiveBuckets, got.PositiveBuckets);
        Assert.Equal(want.NegativeBuckets, got.NegativeBuckets);
        Assert.Equal(want.CustomValues, got.CustomValues);
    }
}
