namespace Metrics.Cluster.Tests.Nodes;

/// <summary>
/// All machines lose their processes between any two steps of writing, cutting, publishing, truncating and taking over: each step is enumerated, by an image of all files as they were then. From
/// every image each node can take the shard over, and has all that was acknowledged, once.
/// </summary>
public sealed class TakeoverCrashTests : IDisposable
{
    private const long RangeMs = StoreWorld.RangeMs;
    private readonly string root = Directory.CreateTempSubdirectory("takeover").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task TheNextOwnerKnowsSeriesWhoseLabelsHaveLeftTheLog()
    {
        await using var world = new StoreWorld(root);
        var expected = new SortedDictionary<(string, long), double>();
        var known = new Dictionary<string, uint>();
        await using (var store = await world.OpenAsync("a"))
        {
            await WriteAsync(store, known, expected, 0, 3 * RangeMs);
            store.Maintain(CancellationToken.None);
            await store.ArchiveAsync(CancellationToken.None);
            var log = (await world.ManifestAsync()).Log!;
            Assert.True(log.Start > 1, "the first record, which alone has the labels, is still in the log");
            Assert.NotNull(log.Checkpoint);
            await WriteAsync(store, known, expected, 3 * RangeMs, 4 * RangeMs);
        }

        world.Silence("a");
        await using var next = await world.OpenAsync("b");
        Assert.Equal(expected, StoredSamples.Of(next));
        Assert.Empty(world.Reports);
    }

    [Fact]
    public async Task ACutThatTheLogHasNotAcknowledgedIsNotPublished()
    {
        await using var world = new StoreWorld(root);
        var store = await world.OpenAsync("a");
        var expected = new SortedDictionary<(string, long), double>();
        await WriteAsync(store, [], expected, 0, RangeMs);
        world.Silence("b");
        world.Silence("c");
        var batch = new Model.SampleBatch();
        var labels = Model.Labels.Of(("__name__", "unacknowledged"));
        batch.Add(Model.SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash), 1, 1);
        store.Append(batch, long.MaxValue, out var position);
        store.CutAll(CancellationToken.None);
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<Exception>(() => store.ArchiveAsync(patience.Token));
        Assert.Empty((await world.ManifestAsync()).Blocks);
        var commit = store.CommitAsync(position).AsTask();
        await store.DisposeAsync();
        await Assert.ThrowsAnyAsync<IOException>(() => commit);
    }

    [Fact]
    public async Task FromEveryStepEachNodeTakesOverWithAllThatWasAcknowledged()
    {
        var live = Path.Combine(root, "live");
        var images = new List<(string Folder, string Step, SortedDictionary<(string, long), double> Least, SortedDictionary<(string, long), double> Most)>();
        var acknowledged = new SortedDictionary<(string, long), double>();
        var sent = new SortedDictionary<(string, long), double>();
        var stepping = new Lock();
        void Step(string what)
        {
            lock (stepping)
            {
                var image = Path.Combine(root, $"image-{images.Count}");
                CrashImage.Take(live, image);
                images.Add((image, what, new(acknowledged), new(sent)));
            }
        }

        await using (var world = new StoreWorld(live, Step))
        {
            var at = 0L;
            foreach (var (node, rounds) in new[] { ("a", 2), ("b", 1) })
            {
                var known = new Dictionary<string, uint>();
                await using var store = await world.OpenAsync(node);
                Assert.Equal(acknowledged, StoredSamples.Of(store));
                for (var round = 0; round < rounds; round++, at += 2 * RangeMs)
                {
                    foreach (var sample in Samples(at, at + (2 * RangeMs)))
                    {
                        sent[(sample.Name, sample.Time)] = sample.Value;
                    }

                    await WriteAsync(store, known, acknowledged, at, at + (2 * RangeMs));
                    Step("written");
                    store.Maintain(CancellationToken.None);
                    await store.ArchiveAsync(CancellationToken.None);
                }
            }

            Assert.True((await world.ManifestAsync()).Blocks.Count > 2, "few blocks were cut");
        }

        Assert.True(images.Count > 50, $"{images.Count} steps");
        var turn = 0;
        foreach (var (folder, step, least, most) in images)
        {
            var (first, second) = (turn++ % 3) switch { 0 => ("a", "b"), 1 => ("b", "c"), _ => ("c", "a") };
            await using var world = new StoreWorld(folder);
            SortedDictionary<(string, long), double> found;
            await using (var store = await world.OpenAsync(first))
            {
                found = StoredSamples.Of(store);
                Assert.True(Holds(found, least) && Holds(most, found), $"{folder} after '{step}' on {first}: {found.Count} samples, {least.Count} were acknowledged, {most.Count} sent");
                await store.ArchiveAsync(CancellationToken.None);
                store.CutAll(CancellationToken.None);
                await store.ArchiveAsync(CancellationToken.None);
                Assert.Equal(found, StoredSamples.Of(store));
            }

            // What one owner showed, the next one has.
            await using var next = await world.OpenAsync(second);
            Assert.Equal(found, StoredSamples.Of(next));
            await AssertNothingLeftAsync(world, step);
        }
    }

    private static async Task AssertNothingLeftAsync(StoreWorld world, string step)
    {
        var manifest = await world.ManifestAsync();
        var checkpoints = new List<string>();
        await foreach (var found in world.Bucket.ListAsync(BucketKeys.Checkpoints(StoreWorld.Shard), CancellationToken.None))
        {
            checkpoints.Add(found.Key);
        }

        Assert.True(checkpoints.Count <= 1, $"after '{step}': checkpoints stay: {string.Join(", ", checkpoints)}");
        Assert.Equal(manifest.Log!.Checkpoint, checkpoints.SingleOrDefault());
    }

    private static async Task WriteAsync(ShardStore store, Dictionary<string, uint> known, SortedDictionary<(string, long), double> acknowledged, long from, long until)
    {
        foreach (var scrape in Samples(from, until).GroupBy(s => s.Time))
        {
            await StoreWorld.AppendAsync(store, known, scrape);
            foreach (var (name, time, value) in scrape)
            {
                acknowledged[(name, time)] = value;
            }
        }
    }

    // A scrape a half second, so that a block range is more records than the log lets go of at once.
    private static IEnumerable<(string Name, long Time, double Value)> Samples(long begin, long end) =>
        from at in Enumerable.Range(0, (int)((end - begin) / 500)) from name in new[] { "x", "y", "z" } select (name, begin + (at * 500L), (double)((begin / 500) + at));

    private static bool Holds(SortedDictionary<(string, long), double> all, SortedDictionary<(string, long), double> part) => part.All(p => all.TryGetValue(p.Key, out var value) && value == p.Value);
}
