using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests;

/// <summary>
/// A kill between any two steps of cut, upload, swap, compaction, deletion and retention: each step is enumerated, by an image of all files as they were then. From every image the shard opens
/// and answers as before the operation at hand or as after it, and once it has worked on, nothing is left over in the store or on disk.
/// </summary>
public sealed class CrashTests : IDisposable
{
    private const long RangeMs = 60_000;
    private static readonly ShardId Id = new(TenantId.Parse("t"), HashRange.Everything);
    private readonly string root = Directory.CreateTempSubdirectory("crash").FullName;
    private readonly List<string> reports = [];
    private readonly Clock clock = new();

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task AtEveryStepOfEveryOperationTheStateIsTheOldOrTheNewOneAndNothingLeaks()
    {
        var live = Path.Combine(root, "live");
        var images = new List<(string Folder, string Step, int Operation)>();
        var states = new List<SortedDictionary<(string, long), double>> { new() };
        var operation = 1;
        void Step(string what)
        {
            var image = Path.Combine(root, $"image-{images.Count}");
            CrashImage.Take(live, image);
            images.Add((image, what, operation));
        }

        var options = new ArchiveOptions { Compaction = Ranges, Downsampling = Steps, Retention = new RetentionOptions { Raw = TimeSpan.FromMilliseconds(20 * RangeMs), FiveMinutes = TimeSpan.FromMilliseconds(20 * RangeMs) }, DeleteDelay = TimeSpan.FromMinutes(1), SweepEvery = TimeSpan.Zero };
        await using (var store = Open(live, options, Step))
        {
            foreach (var act in Operations(store))
            {
                await act();
                states.Add(StoredSamples.Of(store));
                operation++;
            }
        }

        Assert.True(images.Count > 100, $"{images.Count} steps");
        Assert.True(states.DistinctBy(s => s.Count).Count() > 4, "the operations changed little");
        foreach (var (folder, step, during) in images)
        {
            // What is left over is removed at once here, so that a leak shows.
            var eager = new ArchiveOptions { Compaction = Ranges, Downsampling = Steps, DeleteDelay = TimeSpan.Zero, OrphanGrace = TimeSpan.Zero, SweepEvery = TimeSpan.Zero };
            await using var store = Open(folder, eager, null);
            var found = StoredSamples.Of(store);
            Assert.True(Equal(found, states[during - 1]) || Equal(found, states[during]), $"after '{step}' in operation {during}: {found.Count} samples; {states[during - 1].Count} before, {states[during].Count} after");
            await store.ArchiveAsync(CancellationToken.None);
            await store.ArchiveAsync(CancellationToken.None);

            // The old state may become the new one when the store is asked (its manifest was swapped, the copy beside the log not yet); never the other way.
            var settled = StoredSamples.Of(store);
            Assert.True(Equal(found, settled) || Equal(settled, states[during]), $"after '{step}' in operation {during}, going on has changed the answer");
            AssertNothingLeft(folder, step, during);
        }
    }

    private IEnumerable<Func<Task>> Operations(ShardStore store)
    {
        var start = clock.GetUtcNow().ToUnixTimeMilliseconds() / RangeMs * RangeMs;
        for (var range = 0; range < 6; range++)
        {
            var begin = start + (range * RangeMs);
            yield return () => AppendAsync(store, [.. from n in Enumerable.Range(0, 6) from s in "abc" select ($"{s}", begin + (n * 10_000), (double)n)]);
            if (range % 2 == 1)
            {
                yield return () => AppendAsync(store, [("late", begin - (3 * RangeMs / 2), 7)]);
            }

            yield return Do(() => store.Maintain(CancellationToken.None));
            yield return () => store.ArchiveAsync(CancellationToken.None);
        }

        yield return Do(() => store.CutAll(CancellationToken.None));
        yield return () => store.ArchiveAsync(CancellationToken.None);
        yield return () => store.DeleteAsync([[new Matcher(MatchType.Equal, "__name__", "b")]], new TimeRange(start + RangeMs, start + (3 * RangeMs)), CancellationToken.None);
        yield return () => store.CleanDeletedAsync(CancellationToken.None);
        yield return () => AppendAsync(store, [("b", start + (6 * RangeMs), 1), ("b", start + (2 * RangeMs), 5)]);
        yield return () => store.ArchiveAsync(CancellationToken.None);
        yield return Do(() => clock.Advance(TimeSpan.FromMilliseconds(22 * RangeMs)));
        yield return () => store.ArchiveAsync(CancellationToken.None);
        yield return Do(() => clock.Advance(TimeSpan.FromDays(2)));
        yield return () => store.ArchiveAsync(CancellationToken.None);
    }

    private static CompactionOptions Ranges => new() { Ranges = [TimeSpan.FromMilliseconds(2 * RangeMs), TimeSpan.FromMilliseconds(4 * RangeMs)] };

    private static DownsamplingOptions Steps => new() { Steps = [(TimeSpan.FromSeconds(15), TimeSpan.FromMilliseconds(2 * RangeMs))] };

    private static Func<Task> Do(Action act) => () =>
    {
        act();
        return Task.CompletedTask;
    };

    private static void AssertNothingLeft(string folder, string step, int during)
    {
        var bucket = Path.Combine(folder, "bucket", "t");
        var manifest = Path.Combine(bucket, "shards", "all", "manifest.json");
        var live = File.Exists(manifest) ? ShardManifest.Read(File.ReadAllBytes(manifest), manifest) : null;
        string[] blocks = Directory.Exists(bucket) ? [.. Directory.GetDirectories(bucket).Select(d => Path.GetFileName(d)).Where(n => n != "shards").Order(StringComparer.Ordinal)] : [];
        string[] wanted = live is null ? [] : [.. live.Blocks.Select(b => b.Meta.Ulid.ToString()).Order(StringComparer.Ordinal)];
        Assert.Equal(wanted, blocks);
        Assert.True(live is null || live.Retired.Count == 0, $"after '{step}' in operation {during}: retired blocks stay");
        Assert.False(Directory.Exists(Path.Combine(bucket, "shards", "all", "uploads")), $"after '{step}' in operation {during}: notes of uploads stay");
        Assert.Empty(Directory.GetDirectories(Path.Combine(folder, "shard", ShardArchive.PendingFolder)));
        Assert.False(Directory.Exists(Path.Combine(folder, "shard", ShardArchive.CompactingFolder)) && Directory.EnumerateFileSystemEntries(Path.Combine(folder, "shard", ShardArchive.CompactingFolder)).Any());
        Assert.Empty(Directory.GetFiles(Path.Combine(folder, "bucket"), "*.tmp", SearchOption.AllDirectories));
    }

    private static bool Equal(SortedDictionary<(string, long), double> left, SortedDictionary<(string, long), double> right) => left.Count == right.Count && !left.Except(right).Any();

    private static async Task AppendAsync(ShardStore store, List<(string Name, long Time, double Value)> samples)
    {
        var batch = new SampleBatch();
        foreach (var (name, time, value) in samples)
        {
            var labels = Labels.Of(("__name__", name));
            batch.Add(SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash), time, value);
        }

        var result = store.Append(batch, long.MaxValue, out var position);
        await store.CommitAsync(position);
        Assert.Equal(samples.Count, result.Accepted);
    }

    // Everything sealed goes to disk, and every upkeep makes a snapshot.
    private static HeadMemoryOptions Small => new() { SpillBytes = 1, SpillFileBytes = 4096, SnapshotLogBytes = 1 };

    private ShardStore Open(string folder, ArchiveOptions archive, Action<string>? step)
    {
        IObjectStore bucket = FileSystemObjectStore.Open(Path.Combine(folder, "bucket"), clock);
        var services = new ArchiveServices(step is null ? bucket : new SteppingStore(bucket, step), new LocalBlockOpener(bucket), archive, clock);
        var options = new StorageOptions { DataDirectory = "unused", BlockRange = TimeSpan.FromMilliseconds(RangeMs), HeadMemory = Small };
        return ShardStore.OpenAsync(Id, Path.Combine(folder, "shard"), options, services, new ReplayMeter(), reports.Add, CancellationToken.None, step).GetAwaiter().GetResult();
    }

    private sealed class Clock : TimeProvider
    {
        private TimeSpan passed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddYears(90) + passed;

        public override long GetTimestamp() => passed.Ticks;

        public void Advance(TimeSpan by) => passed += by;
    }
}
