using Metrics.Testing;

namespace Metrics.Cluster.Tests;

public sealed class SeriesCacheTests
{
    private static readonly SeriesFingerprint Fingerprint = new(Enumerable.Range(1, SeriesFingerprint.KeyBytes).Select(i => (byte)(i * 37)).ToArray());

    private readonly FakeTime time = new(1_000_000);

    [Fact]
    public void TheTableGrowsToItsBoundAndNoFurther()
    {
        var cache = new SeriesCache(1, 4096, time);
        var state = cache.Observe(0, 5);
        for (var i = 0u; i < 100_000; i++)
        {
            cache.Add(0, state, [(Of(i), i)]);
            Assert.True(cache.TryGet(Of(i), out _, out _, out var found));
            Assert.Equal(i, found);
        }

        Assert.Equal(4096 * 32, cache.Bytes);
        for (var i = 0u; i < 100_000; i++)
        {
            if (cache.TryGet(Of(i), out _, out _, out var found))
            {
                Assert.Equal(i, found);
            }
        }
    }

    [Theory]
    [InlineData(300)]
    [InlineData(10_000)]
    [InlineData(300_000)]
    public void BelowItsBoundItKeepsAllAndTakesAFewTimesTheirSize(int series)
    {
        var cache = new SeriesCache(1, 1 << 20, time);
        var state = cache.Observe(0, 5);
        for (var i = 0u; i < series; i++)
        {
            cache.Add(0, state, [(Of(i), i)]);
        }

        var kept = 0;
        for (var i = 0u; i < series; i++)
        {
            kept += cache.TryGet(Of(i), out _, out _, out var found) && found == i ? 1 : 0;
        }

        // A window that was full at the wrong moment costs its key.
        Assert.InRange(kept, series * 0.999, series);
        Assert.InRange(cache.Bytes, series * 32L, Math.Max(SeriesCache.PageSlots * 32L, series * 32L * 4));
    }

    [Theory]
    [InlineData(300)]
    [InlineData(20_000)]
    public void SeriesThatComeAndGoTakeNoMoreThanThoseThatAreWritten(int series)
    {
        var cache = new SeriesCache(1, 1 << 22, time);
        var state = cache.Observe(0, 5);
        var most = 0L;
        var missed = 0;
        for (var minute = 0u; minute < 600; minute++)
        {
            // Pods live an hour: each minute a sixtieth of the series is new.
            for (var i = 0u; i < series; i++)
            {
                var name = (i * 1000) + ((minute + (i % 60)) / 60);
                if (!cache.TryGet(Of(name), out _, out _, out var found))
                {
                    missed++;
                    cache.Add(0, state, [(Of(name), name)]);
                }
                else
                {
                    Assert.Equal(name, found);
                }
            }

            most = Math.Max(most, cache.Bytes);
            time.Advance(TimeSpan.FromMinutes(1));
            cache.Advance();
        }

        // An hour's series are new once; those of up to half an hour before are still there.
        Assert.InRange(missed, series * 10, series * 11.01);
        Assert.InRange(most, 0, Math.Max(SeriesCache.PageSlots * 32L * 2, series * 1.5 * 32 * 4));
    }

    [Fact]
    public void WhatABurstTookIsGivenBackAsOthersCome()
    {
        var cache = new SeriesCache(1, 1 << 20, time);
        var state = cache.Observe(0, 5);
        for (var i = 0u; i < 200_000; i++)
        {
            cache.Add(0, state, [(Of(i), i)]);
        }

        var burst = cache.Bytes;
        for (var round = 0; round < 3; round++)
        {
            time.Advance(SeriesCache.RoundLength);
            cache.Advance();
            Assert.InRange(KeptOfAThousand(), 995, 1000);
        }

        for (var i = 300_000u; i < 303_000; i++)
        {
            cache.Add(0, state, [(Of(i), i)]);
        }

        Assert.InRange(KeptOfAThousand(), 995, 1000);
        Assert.InRange(cache.Bytes, 4000 * 32, burst / 10);

        int KeptOfAThousand() => Enumerable.Range(0, 1000).Count(i => cache.TryGet(Of((uint)i), out _, out _, out var found) && found == i);
    }

    [Fact]
    public void AnotherIncarnationForgetsTheReferencesOfThatShardOnly()
    {
        var cache = new SeriesCache(2, 4096, time);
        cache.Add(0, cache.Observe(0, 5), [(Of(1), 10)]);
        cache.Add(1, cache.Observe(1, 6), [(Of(2), 20)]);
        var old = cache.StateOf(0);
        cache.Observe(0, 99);
        Assert.True(!cache.TryGet(Of(1), out _, out var generation, out _) || generation != cache.StateOf(0).Generation);
        Assert.True(cache.TryGet(Of(2), out var shard, out generation, out var found));
        Assert.Equal((1, cache.StateOf(1).Generation, 20u), (shard, generation, found));
        cache.Add(0, old, [(Of(3), 30)]);
        Assert.False(cache.TryGet(Of(3), out _, out _, out _));
    }

    [Fact]
    public async Task ReadersBesideAWriterSeeAWholeEntryOrNone()
    {
        // Rounds pass meanwhile, so that pages are swept and joined again.
        var cache = new SeriesCache(4, 2048, time);
        var stop = false;
        var readers = Enumerable.Range(0, 2).Select(reader => Task.Run(() =>
        {
            var hits = 0;
            for (var i = 0u; !Volatile.Read(ref stop); i = (i + 1) % 20_000)
            {
                if (cache.TryGet(Of(i), out var shard, out _, out var found))
                {
                    Assert.Equal((i, i % 4), (found, (uint)shard));
                    hits++;
                }
            }

            return hits;
        })).ToArray();
        for (var round = 0; round < 5; round++)
        {
            for (var i = 0u; i < 20_000; i++)
            {
                var shard = (int)(i % 4);
                cache.Add(shard, cache.Observe(shard, 1), [(Of(i), i)]);
                if (i % 4000 == 0)
                {
                    time.Advance(SeriesCache.RoundLength);
                    cache.Advance();
                }
            }
        }

        Volatile.Write(ref stop, true);
        foreach (var hits in await Task.WhenAll(readers))
        {
            Assert.True(hits >= 0);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void FingerprintsOfAllLengthsAndOfEachFlippedBitDiffer(bool aes)
    {
        var fingerprint = new SeriesFingerprint(Enumerable.Range(1, SeriesFingerprint.KeyBytes).Select(i => (byte)(i * 31)).ToArray(), aes);
        var seen = new HashSet<UInt128>();
        var bytes = new byte[200];
        for (var length = 0; length <= bytes.Length; length++)
        {
            Assert.True(seen.Add(fingerprint.Of(bytes.AsSpan(0, length))));
            for (var bit = 0; bit < length * 8; bit++)
            {
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.True(seen.Add(fingerprint.Of(bytes.AsSpan(0, length))));
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }
    }

    [Fact]
    public void SipHashMatchesItsAuthorsVectors()
    {
        var key = new UInt128(0x0f0e0d0c0b0a0908, 0x0706050403020100);
        Assert.Equal(new UInt128(0x930255c71472f66d, 0xe6a825ba047f81a3), SipHash128.Of([], key));
    }

    private static UInt128 Of(uint i) => Fingerprint.Of(BitConverter.GetBytes(i));
}
