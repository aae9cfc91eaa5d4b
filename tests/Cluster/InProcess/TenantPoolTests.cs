using Metrics.Model;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>Tenants with silos of their own.</summary>
public sealed class TenantPoolTests
{
    private const int Series = 64;

    private readonly long start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 60_000;

    [Fact]
    public async Task AHardTenantsShardsAreOnItsOwnSilosAndNobodyElsesAre()
    {
        var (hard, soft) = (TenantId.Parse("acme-1"), TenantId.Parse("team-a"));
        await using var silos = await SiloCluster.StartAsync(4, 2, pools: static silo => silo <= 2 ? "acme-*" : "");
        await silos.WriteAsync(silos.Silos[0], hard, Series, start, 1);
        await silos.WriteAsync(silos.Silos[0], soft, Series, start, 1);
        var (own, shared) = (silos.Silos.Where(s => silos.PoolOf(s) != "").ToList(), silos.Silos.Where(s => silos.PoolOf(s) == "").ToList());
        Assert.Equal((2, 2), (own.Count, shared.Count));
        Assert.All(own.SelectMany(s => silos.Node(s).Shards), s => Assert.Equal(hard, s.Shard.Tenant));
        Assert.All(shared.SelectMany(s => silos.Node(s).Shards), s => Assert.Equal(soft, s.Shard.Tenant));
        Assert.Equal(8, silos.Silos.Sum(s => silos.Node(s).Shards.Count));
        var homes = own.Select(s => silos.NodeOf(s).Value).ToHashSet(StringComparer.Ordinal);
        Assert.All(own.SelectMany(s => silos.Node(s).Shards), s => Assert.All(s.Followers, f => Assert.Contains(f.Node.Value, homes)));

        // What one silo of its own had is on the other when it is gone.
        await silos.KillAsync(own[0]);
        await silos.WriteAsync(shared[0], hard, Series, start + 1000, 1);
        Assert.Equal(4, silos.Node(own[1]).Shards.Count);
        Assert.Equal(2 * Series, (await silos.ReadAsync(shared[0], hard)).Count);
    }
}
