using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests;

/// <summary>Native histograms, and series that have both kinds, through log, head, late samples, cuts, compaction and restarts.</summary>
public sealed class HistogramStoreTests : IDisposable
{
    private const long RangeMs = 60_000;
    private readonly string root = Directory.CreateTempSubdirectory("histogram-store").FullName;
    private readonly List<string> reports = [];

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task EveryAcknowledgedHistogramIsThereOnceAfterWhateverHappens(int seed)
    {
        var random = new Random(seed);
        var model = new SortedDictionary<(string, long), object>();
        var store = Open();
        long now = 1_000_000;
        for (var round = 0; round < 800; round++)
        {
            now += 1 + random.Next(900);
            var batch = new SampleBatch();
            foreach (var number in Enumerable.Range(0, 6).Where(_ => random.Next(2) == 0))
            {
                var name = $"h{number}";
                var time = now - (random.Next(6) == 0 ? random.Next((int)(2 * RangeMs)) : 0);
                var labels = Labels.Of(("__name__", name));
                var series = SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash);

                // One series in three changes between floats and histograms; what an instant holds is a function of it.
                if (number % 3 == 0 && time % 2000 < 700)
                {
                    batch.Add(series, time, time % 7);
                    model.TryAdd((name, time), (double)(time % 7));
                }
                else
                {
                    var histogram = HistogramOf(number, time);
                    batch.Add(series, time, histogram);
                    model.TryAdd((name, time), histogram);
                }
            }

            if (batch.Count > 0)
            {
                var result = store.Append(batch, long.MaxValue, out var position);
                await store.CommitAsync(position);
                Assert.Equal(batch.Count, result.Accepted);
                Assert.Equal(batch.HasHistograms ? batch.Histograms.ToArray().Count(h => h is not null) : 0, result.AcceptedHistograms);
            }

            switch (random.Next(40))
            {
                case 0:
                    store.Maintain(CancellationToken.None);
                    break;
                case 1:
                    await store.DisposeAsync();
                    store = Open();
                    break;
                case 2:
                    store.CutAll(CancellationToken.None);
                    break;
                case 3:
                    await store.ArchiveAsync(CancellationToken.None);
                    break;
            }
        }

        Check(model, store);
        store.CutAll(CancellationToken.None);
        await store.ArchiveAsync(CancellationToken.None);
        Check(model, store);
        Assert.Equal(0, store.Statistics.HeadChunks);
        await store.DisposeAsync();
        store = Open();
        Check(model, store);
        await store.DisposeAsync();
        Assert.Empty(reports);
    }

    private static FloatHistogram HistogramOf(int number, long time)
    {
        if (time % 97 == 0)
        {
            return new FloatHistogram { Sum = StaleMarker.Value };
        }

        // Counters that grow with time and are reset now and then; buckets that appear; fractions, custom bounds and gauges in some series.
        var grown = (time / 10) % 5000;
        var part = number % 2 == 1 ? 0.5 : 0;
        var buckets = (int)(grown % 3) + 1;
        return new FloatHistogram
        {
            Schema = number == 5 ? FloatHistogram.CustomBucketsSchema : 1,
            CustomValues = number == 5 ? [0.5, 1, 2.5, 10] : [],
            CounterResetHint = number == 4 ? CounterResetHint.Gauge : CounterResetHint.Unknown,
            ZeroThreshold = number == 5 ? 0 : 0.001,
            ZeroCount = number == 5 ? 0 : grown,
            Count = (grown * (buckets + (number == 5 ? 0 : 1))) + part,
            Sum = grown * 1.5,
            PositiveSpans = [new HistogramSpan(0, (uint)buckets)],
            PositiveBuckets = [.. Enumerable.Range(0, buckets).Select(b => grown + (b == 0 ? part : 0))],
        };
    }

    private static void Check(SortedDictionary<(string, long), object> model, ShardStore store)
    {
        var sets = new List<ISeriesSet>();
        store.Select([new Matcher(MatchType.Regex, "__name__", ".+")], TimeRange.All, new Metrics.PromQL.SelectionHints(), sets, CancellationToken.None);
        using var merged = MergedSeriesSet.Of(sets, CancellationToken.None);
        using var samples = new SampleBuffer();
        var found = 0;
        for (var i = 0; i < merged.Count; i++)
        {
            samples.Clear();
            merged.Read(i, samples);
            for (var s = 0; s < samples.Count; s++)
            {
                var want = model[(merged.LabelsOf(i)["__name__"], samples.Times[s])];
                var got = samples.HasHistograms ? samples.Histograms[s] : null;
                Assert.True(
                    want is double value ? got is null && samples.Values[s] == value
                    : got is not null && (StaleMarker.Is(got.Sum) ? StaleMarker.Is(((FloatHistogram)want).Sum) : got.HasSameDataAs((FloatHistogram)want)),
                    $"{merged.LabelsOf(i)} at {samples.Times[s]}: want {want}, got {got?.ToString() ?? samples.Values[s].ToString()}");
                found++;
            }
        }

        Assert.Equal(model.Count, found);
    }

    // Everything sealed goes to disk, and every upkeep makes a snapshot.
    private static HeadMemoryOptions Small => new() { SpillBytes = 1, SpillFileBytes = 4096, SnapshotLogBytes = 1 };

    private ShardStore Open()
    {
        var bucket = FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System);
        var archive = new ArchiveOptions { Compaction = new CompactionOptions { Ranges = [TimeSpan.FromMilliseconds(2 * RangeMs), TimeSpan.FromMilliseconds(4 * RangeMs)] } };
        var services = new ArchiveServices(bucket, new LocalBlockOpener(bucket), archive, TimeProvider.System);
        var options = new StorageOptions { DataDirectory = "unused", BlockRange = TimeSpan.FromMilliseconds(RangeMs), HeadMemory = Small };
        return ShardStore.OpenAsync(new ShardId(TenantId.Parse("t"), HashRange.Everything), Path.Combine(root, "shard"), options, services, new ReplayMeter(), reports.Add, CancellationToken.None).GetAwaiter().GetResult();
    }
}
