using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests;

/// <summary>The store of a shard on a real disk: what it acknowledged is there once, whatever was cut, dropped, copied as a crash would leave it, or opened again.</summary>
public sealed class ShardStoreTests : IDisposable
{
    private const long RangeMs = 60_000;
    private readonly string root = Directory.CreateTempSubdirectory("shard-store").FullName;
    private readonly List<string> reports = [];
    private readonly Clock clock = new();

    public void Dispose() => Directory.Delete(root, recursive: true);

    /// <summary>Random writes, upkeep, clean and unclean restarts, against a dictionary.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task EveryAcknowledgedSampleIsThereOnceAfterWhateverHappens(int seed)
    {
        var random = new Random(seed);
        var model = new SortedDictionary<(string, long), double>();
        var (folder, life) = (Folder(0), 0);
        var store = Open(folder);
        long now = 1_000_000;
        for (var round = 0; round < 2000; round++)
        {
            now += 1 + random.Next(400);

            // Every fifth comes late, up to two block ranges; a value belongs to its instant, so that a late sample may repeat one.
            var samples = Enumerable.Range(0, random.Next(1, 6))
                .Select(_ => (Name: $"s{random.Next(30)}", Time: now - (random.Next(5) == 0 ? random.Next((int)(2 * RangeMs)) : 0)))
                .Select(s => (s.Name, s.Time, Value: (double)((s.Time * 7) % 5))).DistinctBy(s => s.Name).ToList();
            Assert.Equal(samples.Count, await AppendAsync(store, samples));
            foreach (var (name, time, value) in samples)
            {
                model[(name, time)] = value;
            }

            switch (random.Next(60))
            {
                case 0:
                    store.Maintain(CancellationToken.None);
                    break;
                case 3:
                    await store.ArchiveAsync(CancellationToken.None);
                    break;
                case 4:
                    store.CutAll(CancellationToken.None);
                    break;
                case 1:
                    await store.DisposeAsync();
                    store = Open(folder);
                    break;
                case 2:
                    // As a kill would leave it: what the kernel has, while the process is still at work.
                    folder = ImageOf(folder, Folder(++life));
                    await store.DisposeAsync();
                    store = Open(folder);
                    break;
            }
        }

        var read = Read(store);
        Assert.Empty(model.Except(read));
        Assert.Empty(read.Except(model));
        Assert.True(store.Statistics.Blocks > 3);
        Assert.True(store.Statistics.HeadMaxTimeMs - store.Statistics.HeadMinTimeMs < 5 * RangeMs);
        await store.DisposeAsync();
        Assert.Empty(reports);
    }

    /// <summary>A writer, upkeep and a copying crash at the same time: each copy holds all that was acknowledged before it began, and nothing that was not sent.</summary>
    [Fact]
    public async Task ACrashDuringACutLosesNothing()
    {
        var folder = Folder(0);
        await using var store = Open(folder);
        const long ahead = 5_000; // So far the writer may be before the last image: without a disk to wait for it would be a million.
        var (acknowledged, allowed) = (0L, ahead);
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(async () =>
        {
            for (var k = 0L; !stop.IsCancellationRequested; k++)
            {
                while (k >= Volatile.Read(ref allowed) && !stop.IsCancellationRequested)
                {
                    await Task.Delay(1, CancellationToken.None);
                }

                await AppendAsync(store, [("a", 1000 * k, k), ("b", 1000 * k, -k)]);
                Volatile.Write(ref acknowledged, k + 1);
            }
        });
        var upkeep = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                store.Maintain(CancellationToken.None);
            }
        });

        for (var image = 1; image <= 6; image++)
        {
            var reached = Volatile.Read(ref acknowledged);
            SpinWait.SpinUntil(() => Volatile.Read(ref acknowledged) > reached + 500 || writer.IsCompleted, TimeSpan.FromSeconds(20));
            var before = Volatile.Read(ref acknowledged);
            Volatile.Write(ref allowed, before + ahead);
            var copy = ImageOf(folder, Folder(image));
            await using var opened = Open(copy);
            var found = Read(opened);
            var count = found.Count / 2;
            Assert.True(count >= before, $"{before} acknowledged, {count} there");
            Assert.Equal(Enumerable.Range(0, count).Select(k => (("a", 1000L * k), (double)k)), found.Take(count).Select(f => (f.Key, f.Value)));
        }

        await stop.CancelAsync();
        await Task.WhenAll(writer, upkeep);
    }

    [Fact]
    public async Task AnIdleHeadIsCutAndItsMemoryAndLogAreLetGo()
    {
        var folder = Folder(0);
        await using (var store = Open(folder))
        {
            await AppendAsync(store, [("a", 1000, 1), ("b", 2000, 2)]);
            store.Maintain(CancellationToken.None);
            Assert.Equal(0, store.Statistics.Blocks);
            clock.Advance(TimeSpan.FromHours(2));
            store.Maintain(CancellationToken.None);
            Assert.Equal((1, 0L, 0L), (store.Statistics.Blocks, store.Statistics.HeadChunks, store.Statistics.HeadSeries));
            Assert.True(store.Statistics.LogBytes < 100);
            Assert.Equal(2, Read(store).Count);
        }

        await using var again = Open(folder);
        Assert.Equal(2, Read(again).Count);
        Assert.Equal(1, await AppendAsync(again, [("a", 3000, 3)]));
        Assert.Equal(3, Read(again).Count);
    }

    [Fact]
    public async Task WhatIsOlderThanTheWindowIsTooOldAndWhatABlockHasMayComeAgain()
    {
        await using var store = Open(Folder(0));
        await AppendAsync(store, [("a", 0, 1)]);
        await AppendAsync(store, [("a", 40 * RangeMs, 1)]);
        store.Maintain(CancellationToken.None);
        Assert.Equal(1, store.Statistics.Blocks);
        var batch = Batch([("b", 9 * RangeMs, 1), ("b", 10 * RangeMs, 1)]);
        var result = store.Append(batch, long.MaxValue, out var position);
        await store.CommitAsync(position);
        Assert.Equal((1, RejectReason.TooOld), (result.Accepted, Assert.Single(result.Rejections).Reason));

        // A retry whose first answer was lost, and which arrives after the cut.
        store.CutAll(CancellationToken.None);
        Assert.Equal(1, await AppendAsync(store, [("a", 40 * RangeMs, 1)]));
        Assert.Equal(3, Read(store).Count);
    }

    [Fact]
    public async Task RetentionDropsBlocksThatAreWhollyOlder()
    {
        await using var store = Open(Folder(0), new ArchiveOptions { Retention = new RetentionOptions { Raw = TimeSpan.FromMilliseconds(3 * RangeMs) } });
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        for (var i = 10; i >= 0; i--)
        {
            await AppendAsync(store, [("a", now - (i * RangeMs), i)]);
        }

        store.Maintain(CancellationToken.None);
        await store.ArchiveAsync(CancellationToken.None);
        var oldest = Read(store).First().Key.Time;
        Assert.InRange(oldest, now - (4 * RangeMs), now - (2 * RangeMs));
        Assert.Contains(Read(store).Keys, k => k.Time == now - (2 * RangeMs));
    }

    [Fact]
    public async Task ASnapshotThatCannotBeUsedCostsAReplayAndNothingElse()
    {
        var folder = Folder(0);
        var snapshot = Path.Combine(folder, "shard", "head", HeadSnapshot.FileName);
        for (var life = 0; life < 4; life++)
        {
            await using (var store = Open(folder))
            {
                Assert.Equal(life * 200, Read(store).Count);
                for (var i = 0; i < 200; i++)
                {
                    await AppendAsync(store, [("a", (life * 2000) + i, i)]);
                }

                store.Maintain(CancellationToken.None);
            }

            Assert.True(File.Exists(snapshot));
            switch (life)
            {
                case 0:
                    File.WriteAllBytes(snapshot, File.ReadAllBytes(snapshot)[..^1]);
                    break;
                case 1:
                    Array.ForEach(Directory.GetFiles(Path.GetDirectoryName(snapshot)!, "*.chunks"), File.Delete);
                    break;
                case 2:
                    File.WriteAllText(Path.Combine(folder, "shard", "log", "lineage"), "another");
                    break;
            }
        }

        Assert.Equal(3, reports.Count);
        Assert.All(reports, r => Assert.Contains("the snapshot can't be used, so the whole log is replayed", r, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ASnapshotAheadOfALogThatLostItsTailIsNotUsed()
    {
        var folder = Folder(0);
        await using (var store = Open(folder))
        {
            for (var i = 0; i < 200; i++)
            {
                await AppendAsync(store, [("a", i, i)]);
            }

            store.Maintain(CancellationToken.None);
        }

        var log = Directory.GetFiles(Path.Combine(folder, "shard", "log"), "*.log").Single();
        File.WriteAllBytes(log, File.ReadAllBytes(log)[..^200]);
        await using (var store = Open(folder))
        {
            Assert.InRange(Read(store).Count, 150, 199);
            Assert.Contains(reports, r => r.Contains("the snapshot can't be used", StringComparison.Ordinal));
            await AppendAsync(store, [("b", 1000, 1)]);
        }

        await using var again = Open(folder);
        Assert.Contains(("b", 1000L), Read(again).Keys);
    }

    [Fact]
    public async Task ARestartReplaysOnlyWhatCameAfterTheSnapshot()
    {
        var folder = Folder(0);
        await using (var store = Open(folder))
        {
            for (var i = 0; i < 500; i++)
            {
                await AppendAsync(store, [("a", i, i)]);
            }

            store.Maintain(CancellationToken.None);
            await AppendAsync(store, [("a", 500, 500)]);
        }

        await using var again = Open(folder);
        Assert.Equal(501, Read(again).Count);
        Assert.Empty(reports);
        Assert.InRange(again.ReplayedBytes, 1, 100);
    }

    [Fact]
    public async Task ADamagedCopyOfTheManifestIsReplacedByTheOneInTheBucket()
    {
        var folder = Folder(0);
        await using (var store = Open(folder))
        {
            await AppendAsync(store, [("a", 0, 1), ("b", RangeMs, 2)]);
            store.CutAll(CancellationToken.None);
            await store.ArchiveAsync(CancellationToken.None);
            await AppendAsync(store, [("a", 2 * RangeMs, 3)]);
        }

        File.WriteAllText(Path.Combine(folder, "shard", ManifestFile.CopyName), "{\"version\":1,");
        await using (var again = Open(folder))
        {
            Assert.Equal(3, Read(again).Count);
            Assert.Contains("the copy of the manifest is damaged", Assert.Single(reports), StringComparison.Ordinal);
        }
    }

    private static SampleBatch Batch(List<(string Name, long Time, double Value)> samples)
    {
        var batch = new SampleBatch();
        foreach (var (name, time, value) in samples)
        {
            var labels = Labels.Of(("__name__", name));
            batch.Add(SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash), time, value);
        }

        return batch;
    }

    private static async Task<int> AppendAsync(ShardStore store, List<(string Name, long Time, double Value)> samples)
    {
        var result = store.Append(Batch(samples), long.MaxValue, out var position);
        await store.CommitAsync(position);
        return result.Accepted;
    }

    private static SortedDictionary<(string Name, long Time), double> Read(ShardStore store)
    {
        var sets = new List<ISeriesSet>();
        store.Select([new Matcher(MatchType.Regex, "__name__", ".+")], TimeRange.All, new Metrics.PromQL.SelectionHints(), sets, CancellationToken.None);
        var found = new SortedDictionary<(string, long), double>();
        using var samples = new SampleBuffer();
        foreach (var set in sets)
        {
            for (var i = 0; i < set.Count; i++)
            {
                samples.Clear();
                set.Read(i, samples);
                for (var s = 0; s < samples.Count; s++)
                {
                    // A sample that is being cut may be seen in head and block, and is then the same.
                    var key = (set.LabelsOf(i)["__name__"], samples.Times[s]);
                    Assert.True(!found.TryGetValue(key, out var seen) || seen == samples.Values[s]);
                    found[key] = samples.Values[s];
                }
            }

            set.Dispose();
        }

        return found;
    }

    /// <summary>
    /// Copies a folder at work: the log, then the blocks, then the rest, so that nothing can fall between the two. A kill leaves one instant; so the log is copied again when segments came or went
    /// while it was read.
    /// </summary>
    private static string ImageOf(string from, string to)
    {
        string[] before, after;
        do
        {
            before = Names(Path.Combine(from, "shard", "log"));
            foreach (var name in before)
            {
                CrashImage.Copy(Path.Combine(from, "shard", "log", name), Path.Combine(to, "shard", "log", name));
            }

            after = Names(Path.Combine(from, "shard", "log"));
            Names(Path.Combine(to, "shard", "log")).Except(after).ToList().ForEach(n => File.Delete(Path.Combine(to, "shard", "log", n)));
        }
        while (!before.SequenceEqual(after));

        foreach (var path in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            if (path.Contains(BlockWriter.UnfinishedSuffix, StringComparison.Ordinal) || Path.GetFileName(Path.GetDirectoryName(path)) == "log")
            {
                continue; // Swept when the folder is opened, and locked while it is written; the log still has its samples.
            }

            CrashImage.Copy(path, Path.Combine(to, Path.GetRelativePath(from, path)));
        }

        return to;
    }

    private static string[] Names(string folder) => [.. Directory.GetFiles(folder).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)];

    private string Folder(int life) => Directory.CreateDirectory(Path.Combine(root, $"life-{life}")).FullName;

    // Everything sealed goes to disk, and snapshots are frequent.
    private static HeadMemoryOptions Small => new() { SpillBytes = 100, SpillFileBytes = 4096, SnapshotLogBytes = 500 };

    private ShardStore Open(string folder, ArchiveOptions? archive = null)
    {
        var bucket = FileSystemObjectStore.Open(Path.Combine(folder, "bucket"), clock);
        var services = new ArchiveServices(bucket, new LocalBlockOpener(bucket), archive ?? new ArchiveOptions(), clock);
        var options = new StorageOptions { DataDirectory = "unused", BlockRange = TimeSpan.FromMilliseconds(RangeMs), HeadMemory = Small };
        return ShardStore.OpenAsync(new ShardId(TenantId.Parse("t"), HashRange.Everything), Path.Combine(folder, "shard"), options, services, new ReplayMeter(), reports.Add, CancellationToken.None).GetAwaiter().GetResult();
    }

    private sealed class Clock : TimeProvider
    {
        private TimeSpan passed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddYears(50) + passed;

        public override long GetTimestamp() => passed.Ticks;

        public void Advance(TimeSpan by) => passed += by;
    }
}
