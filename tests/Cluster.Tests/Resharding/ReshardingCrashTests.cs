using Metrics.Model;
using Metrics.ObjectStore;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Resharding;

/// <summary>
/// A kill between any two steps of a split and of a merge: each is enumerated, by an image of all files as they were then. From every image the process starts with all that was written, as the old shards or
/// as the new ones, takes writes, can split again, and leaves nothing over.
/// </summary>
public sealed class ReshardingCrashTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("split-crash").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task AtEveryStepOfASplitAndOfAMergeAStartFindsAllThatWasWritten()
    {
        var live = Path.Combine(root, "live");
        var images = new List<(string Folder, string Step)>();
        var stepping = new Lock();
        var isTaking = false;
        void Step(string what)
        {
            lock (stepping)
            {
                // What is so before a change is so after the last one.
                if (isTaking && !what.StartsWith("before ", StringComparison.Ordinal))
                {
                    var image = Path.Combine(root, $"image-{images.Count}");
                    CrashImage.Take(live, image);
                    images.Add((image, what));
                }
            }
        }

        var start = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (20 * 60_000);
        List<string> written;
        await using (var cluster = SplitTenant.Open(live, _ => { }, bucket => new SteppingStore(bucket, Step), Step))
        {
            await SplitTenant.WriteAsync(cluster, [.. from n in Enumerable.Range(0, 8) from s in Enumerable.Range(0, 12) select (s, start + (n * 15_000L))]);
            await SplitTenant.OnAllAsync(cluster, s => s.FlushAsync(default));
            await SplitTenant.OnAllAsync(cluster, s => s.DeleteAsync(new LabelQuery([[new Matcher(MatchType.Equal, "group", "2")]], new TimeRange(start, start + 40_000), 0), default));
            await SplitTenant.WriteAsync(cluster, [.. from n in Enumerable.Range(8, 4) from s in Enumerable.Range(0, 12) select (s, start + (n * 15_000L))]);
            written = await SplitTenant.ReadAsync(cluster);
            isTaking = true;
            await cluster.SplitAsync(new ShardId(SplitTenant.Id, HashRange.Everything), default);
            await SplitTenant.OnAllAsync(cluster, s => s.FlushAsync(default));
            await cluster.MergeAsync(new ShardId(SplitTenant.Id, new HashRange(0, 1)), default);
            isTaking = false;
            Assert.Equal(written, await SplitTenant.ReadAsync(cluster));
        }

        Assert.True(images.Count > 60, $"{images.Count} steps");
        var shapes = new HashSet<int>();
        foreach (var (folder, step) in images)
        {
            var reports = new List<string>();
            var when = $"{Path.GetFileName(folder)} after '{step}' ({Describe(folder)})";
            await using var cluster = SplitTenant.Open(folder, text =>
            {
                lock (reports)
                {
                    reports.Add(text);
                }
            });
            await cluster.Ready;
            var found = await SplitTenant.ReadAsync(cluster);
            Assert.True(written.SequenceEqual(found), $"{when}: {found.Count} samples of {written.Count}; {string.Join("; ", reports)}");
            var shards = (await cluster.FindTenantAsync(SplitTenant.Id, default))!.Shards;
            shapes.Add(shards.Count);
            Assert.Equal("12 0", await SplitTenant.WriteAsync(cluster, [.. from s in Enumerable.Range(0, 12) select (s, start + 300_000L)]));
            await cluster.SplitAsync(shards[0].Id, default);
            Assert.Equal(written.Count + 12, (await SplitTenant.ReadAsync(cluster)).Count);
            await SplitTenant.AssertNothingLeftAsync(cluster, folder, when);
        }

        Assert.Equal([1, 2], shapes.Order());
    }

    [Fact]
    public async Task WhileObjectStorageIsAwayAfterACrashTheShardsOfAnUndecidedSplitWaitAndThenServe()
    {
        var live = Path.Combine(root, "away");
        string? image = null;
        var start = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 60_000;
        await using (var cluster = SplitTenant.Open(live, _ => { }, null, what =>
        {
            if (what == "the change is decided")
            {
                image = Path.Combine(root, "image");
                CrashImage.Take(live, image);
            }
        }))
        {
            await SplitTenant.WriteAsync(cluster, [(1, start), (2, start), (3, start)]);
            await cluster.SplitAsync(new ShardId(SplitTenant.Id, HashRange.Everything), default);
        }

        var away = new AwayStore();
        await using var again = SplitTenant.Open(image!, _ => { }, bucket => away.Over(bucket));
        away.IsAway = true;
        var tenant = (await again.FindTenantAsync(SplitTenant.Id, default))!;
        Assert.Single(tenant.Shards);
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await tenant.Shards[0].SeriesAsync(new LabelQuery([], TimeRange.All, 0), default));
        away.IsAway = false;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (tenant.Shards.Count < 2)
        {
            await tenant.RefreshAsync(tenant.Shards, deadline.Token);
        }

        Assert.Equal(3, (await SplitTenant.ReadAsync(again)).Count);
    }

    /// <summary>What the manifests of an image say, for the message of a test that fails.</summary>
    private static string Describe(string folder) => string.Join("; ", Directory.GetFiles(Path.Combine(folder, "bucket", "t", "shards"), "manifest.json", SearchOption.AllDirectories).Select(path =>
    {
        var manifest = ShardManifest.Read(File.ReadAllBytes(path), path);
        return $"{manifest.HashRange} sealed for {manifest.SealedFor} made by {manifest.MadeBy}: {string.Join(' ', manifest.Blocks.Select(b => $"{b.Meta.Ulid}:{b.HashRange}"))}, retired {string.Join(' ', manifest.Retired.Select(r => $"{r.Ulid}:{r.HashRange}"))}";
    }));

    /// <summary>A store that is sometimes away.</summary>
    private sealed class AwayStore
    {
        public bool IsAway { get; set; } = true;

        public IObjectStore Over(IObjectStore store) => new SteppingStore(store, _ => Check(), _ => Check());

        private void Check()
        {
            if (IsAway)
            {
                throw new ObjectStoreException("the store is away");
            }
        }
    }
}
