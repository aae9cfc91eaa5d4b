using Metrics.Model;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>Shards of silos that are split and merged while they are written to and read.</summary>
public sealed class ReshardingTests
{
    private const int Series = 64;

    private static readonly TenantId tenant = TenantId.Parse("team-a");

    private readonly long start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 60_000;

    [Fact]
    public async Task ShardsSplitAndMergeUnderWritesAndQueriesAndNobodyNotices()
    {
        await using var silos = await SiloCluster.StartAsync(3, 3, shardsPerTenant: 1);
        await SendAsync(await WriterAsync(silos, 0), 0);
        using var done = new CancellationTokenSource();
        var acknowledged = 1;
        var writing = Task.Run(async () =>
        {
            TenantWriter[] writers = [await WriterAsync(silos, 0), await WriterAsync(silos, 1), await WriterAsync(silos, 2)];
            for (; !done.IsCancellationRequested; acknowledged++)
            {
                await SendAsync(writers[acknowledged % 3], acknowledged);
            }
        });
        var looks = 0;
        var reading = Task.Run(async () =>
        {
            for (; !done.IsCancellationRequested; looks++)
            {
                var least = Volatile.Read(ref acknowledged) * Series;
                var found = await CountAsync(silos, looks % 3);
                Assert.True(found >= least, $"{found} samples were read of {least} that were acknowledged before");
            }
        });

        var gateway = silos.Gateway(silos.Silos[0]);
        await gateway.SplitAsync(new ShardId(tenant, HashRange.Everything), default);
        await silos.Gateway(silos.Silos[1]).SplitAsync(new ShardId(tenant, new HashRange(1, 1)), default);
        await gateway.MergeAsync(new ShardId(tenant, new HashRange(2, 2)), default);
        await silos.Gateway(silos.Silos[2]).SplitAsync(new ShardId(tenant, new HashRange(0, 1)), default);
        await done.CancelAsync();
        await writing;
        await reading;

        Assert.Equal([new(0, 2), new(1, 2), new HashRange(1, 1)], Ranges(await RefreshedAsync(silos, 0)));
        for (var silo = 0; silo < 3; silo++)
        {
            Assert.Equal(acknowledged * Series, await CountAsync(silos, silo));
        }

        Assert.True(looks > 3, $"{looks} looks");
        Assert.Equal(3, silos.Silos.Sum(s => silos.Gateway(s).Resharding.Splits));
        Assert.Equal(1, silos.Silos.Sum(s => silos.Gateway(s).Resharding.Merges));
    }

    [Fact]
    public async Task AShardWhoseOwnerIsKilledWhileItIsSplitServesAsOneOrAsTwo()
    {
        await using var silos = await SiloCluster.StartAsync(4, 3, shardsPerTenant: 1);
        await SendAsync(await WriterAsync(silos, 0), 0);
        var whole = new ShardId(tenant, HashRange.Everything);
        var owner = silos.OwnerOf(whole);
        var other = silos.Silos.First(s => !s.SiloAddress.Equals(owner.SiloAddress));

        var splitting = silos.Gateway(other).SplitAsync(whole, default).AsTask();
        await silos.KillAsync(owner);
        await Record.ExceptionAsync(() => splitting);

        var gateway = silos.Gateway(other);
        var end = DateTime.UtcNow.AddSeconds(90);
        var writer = new TenantWriter(await gateway.OpenTenantAsync(tenant, default), new LabelLimits());
        while (await TrySendAsync(writer, 1) is { } problem)
        {
            Assert.True(DateTime.UtcNow < end, problem);
            await Task.Delay(200);
        }

        Assert.Equal(2 * Series, await (await gateway.OpenTenantAsync(tenant, default)).AskAsync(CountAsync, default));
        var ranges = Ranges(await gateway.OpenTenantAsync(tenant, default));
        Assert.True(ranges is [{ Bits: 0 }] or [{ Bits: 1 }, { Bits: 1 }], string.Join(", ", ranges));
    }

    [Fact]
    public async Task AShardWithTooManySeriesSplitsByItself()
    {
        var options = new ReshardingOptions { SplitSeries = 1000, SplitAfter = TimeSpan.Zero, Every = TimeSpan.FromMilliseconds(300), MergeAfter = TimeSpan.Zero };
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1, options);
        var writer = await WriterAsync(silos, 0);
        var end = DateTime.UtcNow.AddSeconds(90);
        var round = 0;
        while (silos.Silos.Sum(s => silos.Gateway(s).Resharding.Splits) == 0)
        {
            Assert.True(DateTime.UtcNow < end, "it does not split");
            await SendAsync(writer, round++, series: 1500);
            await Task.Delay(200);
        }

        await SendAsync(writer, round++, series: 1500);
        Assert.Equal(round * 1500, await CountAsync(silos, 1));
        Assert.True(writer.Tenant.Shards.Count > 1);
    }

    [Fact]
    public async Task ChangesThatCannotBeAreRefused()
    {
        await using var silos = await SiloCluster.StartAsync(1, 1, shardsPerTenant: 2);
        await SendAsync(await WriterAsync(silos, 0), 0);
        var gateway = silos.Gateway(silos.Silos[0]);

        await Assert.ThrowsAsync<ArgumentException>(async () => await gateway.SplitAsync(new ShardId(tenant, HashRange.Everything), default));
        await Assert.ThrowsAsync<ArgumentException>(async () => await gateway.SplitAsync(new ShardId(TenantId.Parse("nobody"), HashRange.Everything), default));
        await Assert.ThrowsAsync<ArgumentException>(async () => await gateway.MergeAsync(new ShardId(tenant, new HashRange(0, 2)), default));
        Assert.Equal(Series, await CountAsync(silos, 0));
    }

    private static List<HashRange> Ranges(ITenant of) => [.. of.Shards.Select(static s => s.Id.Range)];

    private static async Task<ITenant> RefreshedAsync(SiloCluster silos, int silo)
    {
        var found = await silos.Gateway(silos.Silos[silo]).OpenTenantAsync(tenant, default);
        await found.RefreshAsync(found.Shards, default);
        return found;
    }

    private static async Task<TenantWriter> WriterAsync(SiloCluster silos, int silo) =>
        new(await silos.Gateway(silos.Silos[silo]).OpenTenantAsync(tenant, default), new LabelLimits());

    private async Task SendAsync(TenantWriter writer, int round, int series = Series) => Assert.Null(await TrySendAsync(writer, round, series));

    /// <summary>Writes a sample of each series; why it is not taken, or null.</summary>
    private async Task<string?> TrySendAsync(TenantWriter writer, int round, int series = Series)
    {
        using var request = writer.Begin<TextLabels>(ReadOnlyMemory<byte>.Empty);
        for (var i = 0; i < series; i++)
        {
            request.BeginSeries(TextLabels.Encode(("__name__", "m"), ("i", $"{i}")));
            request.Add(start + (round * 10), round);
        }

        var outcome = await request.WriteAsync(default);
        return outcome.Unavailable?.Message ?? (outcome.Accepted == series ? null : $"{outcome.Accepted} of {series} samples were taken");
    }

    private static async Task<int> CountAsync(SiloCluster silos, int silo) => await silos.Gateway(silos.Silos[silo]).AskAsync(tenant, CountAsync, default);

    private static async ValueTask<int> CountAsync(IReadOnlyList<IShard> shards)
    {
        var count = 0;
        foreach (var shard in shards)
        {
            await foreach (var series in shard.ReadAsync([new Matcher(Model.MatchType.Equal, "__name__", "m")], TimeRange.All, default))
            {
                count += series.Samples.Count;
            }
        }

        return count;
    }
}
