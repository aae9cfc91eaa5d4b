using Metrics.Model;
using Metrics.Storage;
using Xunit.Abstractions;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Resharding;

/// <summary>Any sequence of writes, splits, merges, flushes, compactions, deletions, snapshots and restarts answers as a tenant of one shard that was never split, to which the same was done.</summary>
public sealed class ReshardingPropertyTests(ITestOutputHelper output) : IDisposable
{
    private const int Steps = 40;

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
    public Task ASplitTenantAnswersAsOneThatIsNot(int seed) => RunAsync(seed, Mutant.None);

    [Theory]
    [InlineData(nameof(Mutant.SplitsUnsealedShards))]
    [InlineData(nameof(Mutant.RemovesSharedBlocks))]
    public async Task ABrokenRuleIsNoticed(string mutant)
    {
        // Each has its moment within a few sequences; if none notices it, the property proves nothing.
        for (var seed = 1; seed <= 8; seed++)
        {
            if (await Record.ExceptionAsync(() => RunAsync(seed, Enum.Parse<Mutant>(mutant))) is { } noticed)
            {
                output.WriteLine($"noticed by seed {seed}: {noticed.Message}");
                return;
            }

            Directory.Delete(root, recursive: true);
            Directory.CreateDirectory(root);
        }

        Assert.Fail($"{mutant} is not noticed");
    }

    private async Task RunAsync(int seed, Mutant mutant)
    {
        var random = new Random(seed);
        var start = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (20 * 60_000);
        var at = 0;
        var (splits, merges) = (0, 0);
        var (split, whole) = (Open("split", mutant), Open("whole"));
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

                        Assert.Equal(await SplitTenant.WriteAsync(whole, samples), await SplitTenant.WriteAsync(split, samples));
                        break;
                    case < 12 when (await split.FindTenantAsync(SplitTenant.Id, default))?.Shards is { Count: < 8 } shards:
                        await split.SplitAsync(shards[random.Next(shards.Count)].Id, default);
                        splits++;
                        break;
                    case < 15 when (await split.FindTenantAsync(SplitTenant.Id, default))?.Shards is { } shards && Siblings(shards) is { Count: > 0 } siblings:
                        await split.MergeAsync(siblings[random.Next(siblings.Count)], default);
                        merges++;
                        break;
                    case < 16 when (await split.FindTenantAsync(SplitTenant.Id, default))?.Shards is { Count: > 1 } shards:
                        // One lets go of what it shares and the other does not; then nothing is left open that could hide that it is gone.
                        await shards[random.Next(shards.Count)].FlushAsync(default);
                        await split.DisposeAsync();
                        split = Open("split", mutant);
                        await split.Ready;
                        break;
                    case < 17:
                        await SplitTenant.OnAllAsync(split, s => s.FlushAsync(default));
                        await SplitTenant.OnAllAsync(whole, s => s.FlushAsync(default));
                        break;
                    case 17:
                        var deleted = new LabelQuery([[new Matcher(MatchType.Equal, "group", $"{random.Next(4)}")]], new TimeRange(start + random.Next(at + 1), start + random.Next(at + 1)), 0);
                        await SplitTenant.OnAllAsync(split, s => s.DeleteAsync(deleted, default));
                        await SplitTenant.OnAllAsync(whole, s => s.DeleteAsync(deleted, default));
                        break;
                    case 18:
                        await SplitTenant.OnAllAsync(split, s => s.CleanDeletedAsync(default));
                        break;
                    default:
                        await split.DisposeAsync();
                        split = Open("split", mutant);
                        await split.Ready;
                        break;
                }

                Assert.Equal(await ReadAsync(whole), await ReadAsync(split));
            }

            await SplitTenant.OnAllAsync(split, s => s.FlushAsync(default));
            await SplitTenant.OnAllAsync(whole, s => s.FlushAsync(default));
            Assert.Equal(await ReadAsync(whole), await ReadAsync(split));
            await AssertSnapshotHoldsAllAsync(split);
            await SplitTenant.AssertNothingLeftAsync(split, Path.Combine(root, "split"), $"seed {seed}");
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

    /// <summary>What every kind of question is answered with.</summary>
    private static async Task<List<string>> ReadAsync(InProcessCluster cluster)
    {
        var answers = new List<string>();
        if (await cluster.FindTenantAsync(SplitTenant.Id, default) is not { } tenant)
        {
            return answers;
        }

        var everything = new LabelQuery([], TimeRange.All, 0);
        var some = new LabelQuery([[new Matcher(MatchType.Regex, "group", "[12]")]], TimeRange.All, 0);
        var samples = await SplitTenant.ReadAsync(cluster);
        var (series, names, values, valuesOfSome, counted) = (new List<string>(), new SortedSet<string>(), new SortedSet<string>(), new SortedSet<string>(), 0L);
        foreach (var shard in tenant.Shards)
        {
            series.AddRange((await shard.SeriesAsync(everything, default)).Select(l => l.ToString()));
            names.UnionWith(await shard.LabelNamesAsync(some, default));
            values.UnionWith(await shard.LabelValuesAsync("group", everything, default));
            valuesOfSome.UnionWith(await shard.LabelValuesAsync("group", some, default));
            counted += (await shard.CardinalityAsync(new CardinalityQuery([new Matcher(MatchType.Equal, "__name__", "m")], [], 10), default)).Series;
        }

        // Labels of what was deleted go when blocks are rewritten, here and there at other times.
        Assert.Superset(values.Intersect(series.Select(GroupOf)).ToHashSet(), values);
        series.Sort(StringComparer.Ordinal);
        return [.. samples, .. series, $"{counted}", string.Join(',', series.Select(GroupOf).Distinct().Order(StringComparer.Ordinal).Except(values)), $"{names.IsSupersetOf(valuesOfSome.Count > 0 ? ["group", "i"] : [])}"];
    }

    private static string GroupOf(string labels) => labels.Split("group=\"")[1].Split('"')[0];

    private async Task AssertSnapshotHoldsAllAsync(InProcessCluster cluster)
    {
        if (await cluster.FindTenantAsync(SplitTenant.Id, default) is not { } tenant)
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
    }

    private InProcessCluster Open(string name, Mutant mutant = Mutant.None) => SplitTenant.Open(Path.Combine(root, name), output.WriteLine, mutant: mutant);
}
