using Metrics.Grains;
using Metrics.Model;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>Shards that nobody calls are closed, and still get what is due for their blocks.</summary>
public sealed class IdleShardTests
{
    private const int Series = 64;

    private static readonly TenantId tenant = TenantId.Parse("team-a");

    [Fact]
    public async Task AnIdleShardIsClosedAndOpenedForItsRetention()
    {
        // Everything is an hour old, and kept for a minute.
        var start = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds();
        var options = new SiloOptions
        {
            ReportEvery = TimeSpan.FromMilliseconds(200),
            BalanceEvery = TimeSpan.Zero,
            IdleAfter = TimeSpan.FromSeconds(2),
            IdleCheck = TimeSpan.FromMilliseconds(200),
            IdleCareEvery = TimeSpan.Zero,
            Resharding = new ReshardingOptions { Every = TimeSpan.Zero },
        };
        var archive = new ArchiveOptions { WorkEvery = TimeSpan.FromSeconds(1) };
        await using var silos = await SiloCluster.StartAsync(2, 2, options: options, archive: archive);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        Assert.NotEqual(0, await GrainsAsync(silos));

        await UntilAsync("no shard is open", () => silos.Silos.All(s => silos.Node(s).Shards.Count == 0));
        await UntilAsync("no grain of a shard is left", async () => await GrainsAsync(silos) == 0);
        Assert.Equal(4, (await silos.KeysAsync($"{tenant}/")).Count(static k => k.EndsWith("meta.json", StringComparison.Ordinal)));
        await UntilAsync("the silos have said so", () => silos.Silos.All(s => silos.Gateway(silos.Silos[0]).Silos.All(static r => r.Report is { Shards.Count: 0 })));
        Assert.Equal(0, await LookAsync(silos));

        // What is written is still there, and so is the shard when it is wanted.
        Assert.Equal(Series, (await silos.ReadAsync(silos.Silos[1], tenant)).Count);
    }

    /// <summary>A gateway calls the shards of its own silo past their grains.</summary>
    [Fact]
    public async Task AShardThatOnlyItsOwnSiloWritesToStaysOpen()
    {
        var options = new SiloOptions
        {
            BalanceEvery = TimeSpan.Zero,
            IdleAfter = TimeSpan.FromSeconds(1),
            IdleCheck = TimeSpan.FromMilliseconds(100),
            IdleCareEvery = TimeSpan.Zero,
            Resharding = new ReshardingOptions { Every = TimeSpan.Zero },
        };
        await using var silos = await SiloCluster.StartAsync(1, 1, options: options);
        var start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        for (var i = 0; i < 40; i++)
        {
            await silos.WriteAsync(silos.Silos[0], tenant, Series, start + i, i);
            await Task.Delay(100);
        }

        Assert.All(silos.Node(silos.Silos[0]).Shards, static s => Assert.Equal((ShardState.Open, 1L), (s.State, s.Epoch)));
        await UntilAsync("no shard is open", () => silos.Node(silos.Silos[0]).Shards.Count == 0);
    }

    [Fact]
    public async Task RetentionReachesShardsThatNobodyCalls()
    {
        var start = DateTimeOffset.UtcNow.AddMinutes(-60).AddSeconds(20).ToUnixTimeMilliseconds();
        var options = new SiloOptions
        {
            ReportEvery = TimeSpan.FromMilliseconds(200),
            BalanceEvery = TimeSpan.Zero,
            IdleAfter = TimeSpan.FromSeconds(3),
            IdleCheck = TimeSpan.FromMilliseconds(200),
            IdleCareEvery = TimeSpan.Zero,
            Resharding = new ReshardingOptions { Every = TimeSpan.Zero },
        };
        var archive = new ArchiveOptions { WorkEvery = TimeSpan.FromSeconds(1), DeleteDelay = TimeSpan.Zero, Retention = new RetentionOptions { Raw = TimeSpan.FromMinutes(60) } };
        await using var silos = await SiloCluster.StartAsync(2, 2, options: options, archive: archive);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        foreach (var shard in (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards)
        {
            await shard.FlushAsync(default);
        }

        await UntilAsync("no shard is open", () => silos.Silos.All(s => silos.Node(s).Shards.Count == 0));
        await UntilAsync("the silos have said so", () => silos.Gateway(silos.Silos[0]).Silos.All(static r => r.Report is { Shards.Count: 0 }));
        var woken = 0;
        await UntilAsync("retention is due for all four shards", async () => (woken += await LookAsync(silos)) >= 4);

        await UntilAsync("the blocks are gone", async () => !(await silos.KeysAsync($"{tenant}/")).Any(static k => k.EndsWith("meta.json", StringComparison.Ordinal)));
    }

    private static async Task<int> LookAsync(SiloCluster silos)
    {
        var woken = 0;
        foreach (var silo in silos.Silos)
        {
            woken += await silos.Of<IdleCare>(silo).LookAsync(default);
        }

        return woken;
    }

    private static async Task<int> GrainsAsync(SiloCluster silos)
    {
        var statistics = await silos.Of<IGrainFactory>(silos.Silos[0]).GetGrain<IManagementGrain>(0).GetSimpleGrainStatistics();
        return statistics.Where(static s => s.GrainType.Contains("ShardGrain", StringComparison.Ordinal)).Sum(static s => s.ActivationCount);
    }

    private static Task UntilAsync(string what, Func<bool> isSo) => UntilAsync(what, () => Task.FromResult(isSo()));

    private static async Task UntilAsync(string what, Func<Task<bool>> isSo)
    {
        var end = DateTime.UtcNow.AddSeconds(90);
        while (!await isSo())
        {
            Assert.True(DateTime.UtcNow < end, $"not within a minute and a half: {what}");
            await Task.Delay(100);
        }
    }
}
