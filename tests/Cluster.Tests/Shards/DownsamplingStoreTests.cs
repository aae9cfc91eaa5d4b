using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests;

/// <summary>A shard downsamples what has become wide, reads what a query allows, and goes on answering when the raw samples have expired.</summary>
public sealed class DownsamplingStoreTests : IDisposable
{
    private const long Minute = 60_000;
    private readonly string root = Directory.CreateTempSubdirectory("downsampling-store").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task TheCoarsestThatIsAllowedAndBearableIsReadAndEachInstantOnce()
    {
        var now = DateTimeOffset.UtcNow;
        var end = now.ToUnixTimeMilliseconds() / Minute * Minute;
        var start = end - (4 * 1440 * Minute);
        await using (var store = Open(null))
        {
            var labels = Labels.Of(("__name__", "c"));
            for (var time = start; time <= end; time += 20 * Minute)
            {
                var batch = new SampleBatch();
                var series = SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash);
                for (var minute = 0; minute < 20; minute++)
                {
                    batch.Add(series, time + (minute * Minute), (time - start) / Minute + minute);
                }

                store.Append(batch, long.MaxValue, out var position);
                await store.CommitAsync(position);
                store.Maintain(CancellationToken.None);
            }

            await store.ArchiveAsync(CancellationToken.None);
            var raw = Read(store, new SelectionHints(RangeMs: 60 * Minute, Function: "max_over_time"));
            Assert.Equal(((end - start) / Minute) + 20, raw.Count);
            var reduced = Read(store, new SelectionHints(RangeMs: 60 * Minute, Function: "max_over_time", MaxResolutionMs: 5 * Minute));
            Assert.InRange(reduced.Count, raw.Count / 5, raw.Count * 2 / 3);
            Assert.Equal(reduced.Select(s => s.Time), reduced.Select(s => s.Time).Distinct().Order());
            Assert.Equal(raw[^1], reduced[^1]);

            // Windows that five-minute samples would leave without two points, and functions that need every sample, read raw ones.
            Assert.Equal(raw, Read(store, new SelectionHints(RangeMs: 5 * Minute, Function: "max_over_time", MaxResolutionMs: 5 * Minute)));
            Assert.Equal(raw, Read(store, new SelectionHints(RangeMs: 60 * Minute, Function: "quantile_over_time", MaxResolutionMs: 5 * Minute)));

            // A counter's rise over any stretch is what it was, to a window.
            var counter = Read(store, new SelectionHints(RangeMs: 60 * Minute, Function: "increase", MaxResolutionMs: 5 * Minute));
            Assert.Equal(raw[^1].Value - raw[0].Value, counter[^1].Value - counter[0].Value, 9);
        }

        // Raw samples expire; the aggregates stay, and are read although nobody asked for them.
        await using var later = Open(TimeSpan.FromDays(1));
        await later.ArchiveAsync(CancellationToken.None);
        var left = Read(later, new SelectionHints(RangeMs: 60 * Minute, Function: "max_over_time"));
        Assert.True(left[0].Time < start + (10 * Minute), "the oldest aggregates are gone");
        Assert.Equal(left.Select(s => s.Time), left.Select(s => s.Time).Distinct().Order());
        Assert.InRange(left.Count, 4 * 1440 / 5, 4 * 1440 * 3 / 4);
    }

    private static List<(long Time, double Value)> Read(ShardStore store, SelectionHints hints)
    {
        var sets = new List<ISeriesSet>();
        store.Select([new Matcher(MatchType.Equal, "__name__", "c")], TimeRange.All, hints, sets, CancellationToken.None);
        using var merged = MergedSeriesSet.Of(sets, CancellationToken.None);
        using var samples = new SampleBuffer();
        merged.Read(0, samples);
        return [.. Enumerable.Range(0, samples.Count).Select(i => (samples.Times[i], samples.Values[i]))];
    }

    private ShardStore Open(TimeSpan? rawRetention)
    {
        var bucket = FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System);
        var archive = new ArchiveOptions { Retention = new RetentionOptions { Raw = rawRetention } };
        var services = new ArchiveServices(bucket, new LocalBlockOpener(bucket), archive, TimeProvider.System);
        return ShardStore.OpenAsync(
            new ShardId(TenantId.Parse("t"), HashRange.Everything), Path.Combine(root, "shard"), new StorageOptions { DataDirectory = "unused" }, services, new ReplayMeter(), Assert.Fail, CancellationToken.None).GetAwaiter().GetResult();
    }
}
