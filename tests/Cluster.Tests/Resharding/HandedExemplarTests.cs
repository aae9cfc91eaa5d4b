using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Resharding;

/// <summary>Exemplars, which no block has, go along when a shard is split or merged.</summary>
public sealed class HandedExemplarTests : IDisposable
{
    private const int Series = 40;

    private readonly string folder = Directory.CreateTempSubdirectory("exemplars").FullName;
    private readonly long start = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (5 * 60_000);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task ExemplarsSurviveSplitsMergesAndStartsInBetween()
    {
        var cluster = SplitTenant.Open(folder, _ => { });
        try
        {
            await WriteAsync(cluster, start);
            await WriteAsync(cluster, start + 1000);
            var written = await ReadAsync(cluster);
            Assert.Equal(2 * Series, written.Count);

            await SplitTenant.OnAllAsync(cluster, static s => s.FlushAsync(default));
            Assert.Equal(written, await ReadAsync(cluster));

            await cluster.SplitAsync(new ShardId(SplitTenant.Id, HashRange.Everything), default);
            await cluster.SplitAsync(new ShardId(SplitTenant.Id, new HashRange(1, 1)), default);
            Assert.Equal(written, await ReadAsync(cluster));

            // In the children's logs.
            await cluster.DisposeAsync();
            cluster = SplitTenant.Open(folder, _ => { });
            await cluster.Ready;
            Assert.Equal(written, await ReadAsync(cluster));

            // Newer ones come behind them.
            await WriteAsync(cluster, start + 2000);
            var more = await ReadAsync(cluster);
            Assert.Equal(3 * Series, more.Count);
            await cluster.MergeAsync(new ShardId(SplitTenant.Id, new HashRange(2, 2)), default);
            await cluster.MergeAsync(new ShardId(SplitTenant.Id, new HashRange(0, 1)), default);
            Assert.Equal(more, await ReadAsync(cluster));
            Assert.DoesNotContain(Directory.EnumerateFiles(Path.Combine(folder, "bucket"), "*", SearchOption.AllDirectories), static f => f.Contains("/exemplars/", StringComparison.Ordinal));
            await SplitTenant.AssertNothingLeftAsync(cluster, folder, "at the end");
        }
        finally
        {
            await cluster.DisposeAsync();
        }
    }

    [Fact]
    public async Task WhatLiesThereOfAnotherChangeIsNotTaken()
    {
        var store = new ObjectStore.MemoryObjectStore(TimeProvider.System);
        var parent = new ShardId(SplitTenant.Id, HashRange.Everything);
        var children = new[] { new ShardId(SplitTenant.Id, new HashRange(0, 1)), new ShardId(SplitTenant.Id, new HashRange(1, 1)) };
        var exemplars = Enumerable.Range(0, Series).Select(i => new HandedExemplar(Labels.Of((Labels.MetricName, "m"), ("i", $"{i}")), new Storage.Exemplar(0, i, i, Labels.Of(("trace_id", $"t{i}"))))).ToList();
        await HandedExemplars.LeaveAsync(store, parent, new SealRequest(2, MustBeNarrow: false), exemplars, default);
        await HandedExemplars.LeaveAsync(store, parent, new SealRequest(4, MustBeNarrow: false), exemplars, default);
        await HandedExemplars.ForgetAsync(store, parent, 4, default);
        await HandedExemplars.LeaveAsync(store, parent, new SealRequest(6, MustBeNarrow: false), exemplars, default);
        var taken = new List<HandedExemplar>();
        foreach (var child in children)
        {
            var own = new List<HandedExemplar>();
            await HandedExemplars.TakeAsync(
                store,
                child,
                6,
                handed =>
                {
                    own.AddRange(handed);
                    return ValueTask.CompletedTask;
                },
                default);
            Assert.All(own, e => Assert.True(child.Range.Contains(SeriesHash.Of(e.Series.Encoded))));
            taken.AddRange(own);
        }

        Assert.Equal(exemplars.Select(static e => e.Exemplar.TimeMs), taken.Select(static e => e.Exemplar.TimeMs).Order());
        Assert.Empty(await store.ListAsync("", default).ToListAsync());
    }

    private static async Task WriteAsync(InProcessCluster cluster, long time)
    {
        using var request = new TenantWriter(await cluster.OpenTenantAsync(SplitTenant.Id, default), new LabelLimits()).Begin<PairLabels>(ReadOnlyMemory<byte>.Empty);
        for (var i = 0; i < Series; i++)
        {
            request.BeginSeries(PairLabels.Encode(("__name__", "m"), ("i", $"{i}")));
            request.Add(time, i);
            request.AddExemplar(time, i, Labels.Of(("trace_id", $"{i} at {time}")));
        }

        Assert.Equal(Series, (await request.WriteAsync(default)).AcceptedExemplars);
    }

    private static async Task<List<string>> ReadAsync(InProcessCluster cluster)
    {
        var found = new List<string>();
        foreach (var shard in (await cluster.FindTenantAsync(SplitTenant.Id, default))!.Shards)
        {
            var query = new LabelQuery([[new Matcher(MatchType.Equal, Labels.MetricName, "m")]], TimeRange.All, 0);
            foreach (var (series, exemplars) in await shard.ExemplarsAsync(query, default))
            {
                found.AddRange(exemplars.Select(e => $"{series} {e.TimeMs} {e.Value} {e.Labels}"));
            }
        }

        found.Sort(StringComparer.Ordinal);
        return found;
    }
}
