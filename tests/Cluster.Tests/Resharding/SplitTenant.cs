using System.Globalization;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Resharding;

/// <summary>A tenant of a single process for tests of splits: opens it, writes to it, reads all of it, and looks at what it leaves in its folders.</summary>
internal static class SplitTenant
{
    public static readonly TenantId Id = TenantId.Parse("t");

    /// <summary>Opens the cluster in a folder; every block range is a minute, and what is retired is removed at once.</summary>
    public static InProcessCluster Open(string folder, Action<string> report, Func<IObjectStore, IObjectStore>? through = null, Action<string>? step = null, Mutant mutant = Mutant.None)
    {
        var options = new StorageOptions
        {
            DataDirectory = folder,
            ShardsPerTenant = 1,
            Fsync = FsyncPolicy.Never,
            BlockRange = TimeSpan.FromMinutes(1),
            Archive = new ArchiveOptions
            {
                WorkEvery = TimeSpan.FromMinutes(10),
                DeleteDelay = TimeSpan.Zero,
                OrphanGrace = TimeSpan.Zero,
                SweepEvery = TimeSpan.Zero,
                Compaction = new CompactionOptions { Ranges = [TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(6)] },
            },
            Resharding = new ReshardingOptions { Every = TimeSpan.Zero },
        };
        var bucket = FileSystemObjectStore.Open(Path.Combine(folder, "bucket"), TimeProvider.System);
        return InProcessCluster.Open(options, new EngineOptions(), TimeProvider.System, null, report, through?.Invoke(bucket) ?? bucket, step, mutant);
    }

    public static async Task OnAllAsync(InProcessCluster cluster, Func<IShard, ValueTask> act)
    {
        if (await cluster.FindTenantAsync(Id, default) is { } tenant)
        {
            await Task.WhenAll(tenant.Shards.Select(s => act(s).AsTask()));
        }
    }

    /// <summary>Writes samples, whose values follow from series and time; tells how many were taken and how many refused.</summary>
    public static async Task<string> WriteAsync(InProcessCluster cluster, List<(int Series, long Time)> samples)
    {
        using var request = new TenantWriter(await cluster.OpenTenantAsync(Id, default), new LabelLimits()).Begin<PairLabels>(ReadOnlyMemory<byte>.Empty);
        foreach (var (series, time) in samples)
        {
            request.BeginSeries(PairLabels.Encode(("__name__", "m"), ("group", $"{series % 4}"), ("i", $"{series}")));
            request.Add(time, series + (time % 1000));
        }

        var outcome = await request.WriteAsync(default);
        Assert.Null(outcome.Unavailable);
        return $"{outcome.Accepted} {outcome.Rejected}";
    }

    /// <summary>Every sample, as text, in order. Asks again when a block was replaced, and removed at once, under the question.</summary>
    public static async Task<List<string>> ReadAsync(InProcessCluster cluster)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await ReadOnceAsync(cluster);
            }
            catch (IOException) when (attempt < 100)
            {
                // Each attempt begins with the blocks that are live by then.
            }
        }
    }

    private static async Task<List<string>> ReadOnceAsync(InProcessCluster cluster)
    {
        var samples = new List<string>();
        foreach (var shard in (await cluster.FindTenantAsync(Id, default))?.Shards ?? [])
        {
            await foreach (var one in shard.ReadAsync([new Matcher(MatchType.Equal, "__name__", "m")], TimeRange.All, default))
            {
                for (var i = 0; i < one.Samples.Count; i++)
                {
                    samples.Add(string.Create(CultureInfo.InvariantCulture, $"{one.Labels} {one.Samples.Times[i]} {one.Samples.Values[i]}"));
                }
            }
        }

        samples.Sort(StringComparer.Ordinal);
        return samples;
    }

    /// <summary>Has the shards finish what they have to do, and looks that each block in the bucket is one shard's, that nothing else is left, and that folders are those of shards.</summary>
    public static async Task AssertNothingLeftAsync(InProcessCluster cluster, string folder, string when)
    {
        if (await cluster.FindTenantAsync(Id, default) is not { } tenant)
        {
            return;
        }

        // Twice: a block that two shared goes when the second has let go of it.
        await OnAllAsync(cluster, s => s.FlushAsync(default));
        await OnAllAsync(cluster, s => s.FlushAsync(default));
        var bucket = Path.Combine(folder, "bucket", "t");
        var wanted = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var shard in tenant.Shards)
        {
            var path = Path.Combine(bucket, "shards", shard.Id.Range.ToString());
            var manifest = ShardManifest.Read(File.ReadAllBytes(Path.Combine(path, "manifest.json")), "manifest");
            Assert.True(manifest.Retired.Count == 0, $"{when}: {shard.Id} has retired blocks left");
            Assert.True(manifest is { SealedFor: null, Parents: null }, $"{when}: {shard.Id} is sealed, or has parents");
            Assert.All(manifest.Blocks, b => Assert.True(shard.Id.Range.Covers(b.HashRange), $"{when}: block {b.Meta.Ulid} of {b.HashRange} in {shard.Id}"));
            wanted.UnionWith(manifest.Blocks.Select(b => b.Meta.Ulid.ToString()));
        }

        Assert.True(Directory.GetDirectories(Path.Combine(bucket, "shards"), "uploads", SearchOption.AllDirectories).All(d => Directory.GetFiles(d).Length == 0), $"{when}: notes of uploads stay");

        // Objects, not folders: two that remove a block side by side may leave an empty one.
        var there = Directory.GetDirectories(bucket).Where(d => Directory.EnumerateFiles(d, "*", SearchOption.AllDirectories).Any()).Select(d => Path.GetFileName(d)).Where(n => n != "shards").Order(StringComparer.Ordinal).ToList();
        Assert.True(wanted.SequenceEqual(there), $"{when}: blocks {string.Join(' ', there.Except(wanted).SelectMany(b => Directory.EnumerateFiles(Path.Combine(bucket, b), "*", SearchOption.AllDirectories)))} are nobody's, {string.Join(' ', wanted.Except(there))} are gone");
        Assert.Equal(
            tenant.Shards.Select(s => s.Id.Range.ToString()).Order(StringComparer.Ordinal),
            Directory.GetDirectories(Path.Combine(folder, "tenants", "t", "shards")).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal));
        Assert.Null(ShardMap.Load(Path.Combine(folder, "tenants", "t"))!.Change);
    }
}
