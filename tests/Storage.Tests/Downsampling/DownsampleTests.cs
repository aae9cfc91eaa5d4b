using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests;

/// <summary>Blocks of aggregates say of each window what its samples say, and of counters what their increase was.</summary>
public sealed class DownsampleTests : IDisposable
{
    private const long Resolution = 300_000;
    private readonly ScratchDirectory scratch = new();

    public void Dispose() => scratch.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void EachWindowHasWhatItsSamplesHave(int seed)
    {
        var random = new Random(seed);
        var samples = new List<(long Time, double Value)>();
        double value = 0;
        for (var time = random.NextInt64(0, 1_000_000); samples.Count < 6000; time += random.Next(20) == 0 ? random.Next(1, 2_000_000) : random.Next(1, 60_000))
        {
            // Counts up, is reset now and then; one value in fifty is missing as a stale marker.
            value = random.Next(100) == 0 ? random.Next(10) : value + random.Next(50);
            samples.Add((time, random.Next(50) == 0 ? StaleMarker.Value : value));
        }

        var labels = Labels.Of(("__name__", "c"));
        using var raw = BlockReader.Open(TestBlocks.Write(scratch.Path, [(labels, [.. samples.Chunk(120).Select(c => TestBlocks.Xor(c))])]));
        using var reduced = Reduce(raw);
        var real = samples.Where(s => !StaleMarker.Is(s.Value)).ToList();
        var windows = real.GroupBy(s => s.Time / Resolution).OrderBy(g => g.Key).ToList();
        var counts = Read(reduced, Aggregate.Count);
        Assert.Equal(windows.Select(w => (double)w.Count()), counts.Select(s => s.Value));
        Assert.All(counts.Zip(windows), pair => Assert.InRange(pair.First.Time, pair.Second.Max(s => s.Time), ((pair.Second.Key + 1) * Resolution) - 1));
        Assert.Equal(windows.Select(w => w.Sum(s => s.Value)), Read(reduced, Aggregate.Sum).Select(s => s.Value));
        Assert.Equal(windows.Select(w => w.Min(s => s.Value)), Read(reduced, Aggregate.Min).Select(s => s.Value));
        Assert.Equal(windows.Select(w => w.Max(s => s.Value)), Read(reduced, Aggregate.Max).Select(s => s.Value));
        Assert.Equal(windows.Select(w => w.Sum(s => s.Value) / w.Count()), Read(reduced, Aggregate.Average).Select(s => s.Value));

        // The counter never falls, and at each window's end it has risen by what the raw samples had until then.
        var counter = Read(reduced, Aggregate.Counter);
        var risen = new Dictionary<long, double> { [real[0].Time] = 0 };
        double total = 0;
        for (var i = 1; i < real.Count; i++)
        {
            total += real[i].Value < real[i - 1].Value ? real[i].Value : real[i].Value - real[i - 1].Value;
            risen[real[i].Time] = total;
        }

        foreach (var (time, got) in counter)
        {
            var want = risen[real.Last(s => s.Time <= time).Time];
            Assert.Equal(want, got - counter[0].Value, 6);
        }

        Assert.Equal(counter.Select(c => c.Time), counter.Select(c => c.Time).Distinct().Order());
    }

    [Fact]
    public void AMissingValueSpoilsNoOther()
    {
        // Half the samples are NaN, the first and the last among them; one window has nothing else.
        var samples = Enumerable.Range(0, 100).Select(i => (Time: i * 30_000L, Value: i is 0 or 99 || i % 2 == 1 || i / 10 == 4 ? double.NaN : i * 2.0)).ToArray();
        using var raw = BlockReader.Open(TestBlocks.Write(scratch.Path, [(Labels.Of(("__name__", "c")), [TestBlocks.Xor(samples)])]));
        using var reduced = Reduce(raw);
        var windows = samples.Where(s => !double.IsNaN(s.Value)).GroupBy(s => s.Time / Resolution).ToList();
        Assert.Equal(9, windows.Count);
        Assert.Equal(windows.Select(w => w.Min(s => s.Value)), Read(reduced, Aggregate.Min).Select(s => s.Value));
        Assert.Equal(windows.Select(w => w.Max(s => s.Value)), Read(reduced, Aggregate.Max).Select(s => s.Value));
        Assert.Equal(windows.Select(w => w.Sum(s => s.Value)), Read(reduced, Aggregate.Sum).Select(s => s.Value));
        Assert.Equal(windows.Select(w => w.Max(s => s.Value)).Prepend(4), Read(reduced, Aggregate.Counter).Select(s => s.Value));
    }

    [Fact]
    public void HistogramsKeepSumCountAndIncrease()
    {
        var histograms = Enumerable.Range(0, 400).Select(i => (Time: i * 30_000L, Value: HistogramAt(i))).ToList();
        var chunks = new List<BlockChunk>();
        foreach (var part in histograms.Chunk(100))
        {
            var encoder = new HistogramChunkEncoder(ChunkEncoding.Histogram);
            encoder.Begin(CounterResetHint.Unknown);
            var first = part[0].Time;
            foreach (var (time, value) in part)
            {
                if (!encoder.TryAppend(time, value))
                {
                    chunks.Add(new BlockChunk(ChunkEncoding.Histogram, first, time - 30_000, encoder.ToBytes()));
                    encoder.Begin(encoder.NextHint);
                    encoder.TryAppend(time, value);
                    first = time;
                }
            }

            chunks.Add(new BlockChunk(ChunkEncoding.Histogram, first, part[^1].Time, encoder.ToBytes()));
        }

        using var raw = BlockReader.Open(TestBlocks.Write(scratch.Path, [(Labels.Of(("__name__", "h")), [.. chunks])]));
        using var reduced = Reduce(raw);
        using var counter = ReadBuffer(reduced, Aggregate.Counter);
        var increase = 0.0;
        for (var i = 1; i < histograms.Count; i++)
        {
            increase += histograms[i].Value.DetectReset(histograms[i - 1].Value) ? histograms[i].Value.Count : histograms[i].Value.Count - histograms[i - 1].Value.Count;
        }

        var found = 0.0;
        for (var i = 1; i < counter.Count; i++)
        {
            var (before, now) = (counter.Histograms[i - 1]!, counter.Histograms[i]!);
            found += now.DetectReset(before) ? now.Count : now.Count - before.Count;
        }

        Assert.Equal(increase, found);
        Assert.Equal(histograms[^1].Value.Count, counter.Histograms[^1]!.Count);
        Assert.Equal(400, Read(reduced, Aggregate.Count).Sum(s => s.Value));
        using var sums = ReadBuffer(reduced, Aggregate.Sum);
        Assert.Equal(histograms.Take(10).Sum(h => h.Value.Count), sums.Histograms[0]!.Count);
        using var averages = ReadBuffer(reduced, Aggregate.Average);
        Assert.Equal(histograms.Take(10).Average(h => h.Value.Count), averages.Histograms[0]!.Count, 9);
    }

    [Theory]
    [InlineData("rate", 300_000, 300_000, 150_000)]
    [InlineData("rate", 3_600_000, 300_000, 300_000)]
    [InlineData("quantile_over_time", 86_400_000, 3_600_000, 0)]
    [InlineData(null, 300_000, 3_600_000, 150_000)]
    public void AWindowHoldsTwoPointsAndSomeFunctionsSeeEverySample(string? function, long window, long allowed, long coarsest) =>
        Assert.Equal(coarsest, AggregateReading.CoarsestMs(function, window, allowed));

    private static FloatHistogram HistogramAt(int i)
    {
        var n = i % 150; // Reset twice.
        return new FloatHistogram { Schema = 0, Count = 3 * n, Sum = n * 1.5, ZeroThreshold = 0.01, ZeroCount = n, PositiveSpans = [new HistogramSpan(0, 1)], PositiveBuckets = [2 * n] };
    }

    private BlockReader Reduce(BlockReader raw)
    {
        var directory = Path.Combine(scratch.Path, "reduced");
        Directory.CreateDirectory(directory);
        var meta = Downsample.Run(new MergeInput(raw, []), Resolution, new MergeRequest { Directory = directory, Time = TimeProvider.System }, CancellationToken.None)!;
        Assert.Equal(Resolution, meta.Thanos!.Downsample.Resolution);
        var path = Path.Combine(directory, meta.Ulid.ToString());
        Assert.Empty(BlockVerifier.Verify(path, CancellationToken.None));
        return BlockReader.Open(path);
    }

    private static SampleBuffer ReadBuffer(BlockReader block, Aggregate aggregate)
    {
        using var set = block.Select([], TimeRange.All, aggregate, CancellationToken.None);
        var samples = new SampleBuffer();
        set.Read(0, samples);
        return samples;
    }

    private static List<(long Time, double Value)> Read(BlockReader block, Aggregate aggregate)
    {
        using var samples = ReadBuffer(block, aggregate);
        return [.. Enumerable.Range(0, samples.Count).Select(i => (samples.Times[i], samples.Values[i]))];
    }
}
