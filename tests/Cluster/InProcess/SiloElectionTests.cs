using Metrics.Model;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>Replicas of pairs of senders are elected for all silos, by the tenant's grain wherever it is.</summary>
public sealed class SiloElectionTests
{
    private static readonly TenantId tenant = TenantId.Parse("team-a");

    [Fact]
    public async Task AllSilosElectTheSameReplica()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2);
        Assert.Equal("a", (await HearAsync(silos, 0, "a")).Elected);
        var other = await HearAsync(silos, 1, "b");
        Assert.Equal("a", other.Elected);
        Assert.InRange(other.HoldsFor, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.Equal("a", (await HearAsync(silos, 2, "a")).Elected);
        Assert.Equal("b", (await silos.Gateway(silos.Silos[1]).Elector.HearAsync(TenantId.Parse("team-b"), Seen("b", null), default)).Elected);

        var refused = Seen("a", null) with { Cluster = "one too many", MaxClusters = 1 };
        Assert.Null((await silos.Gateway(silos.Silos[1]).Elector.HearAsync(tenant, refused, default)).Elected);
    }

    [Fact]
    public async Task TheElectionOutlivesTheSiloThatHeldIt()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2);
        foreach (var silo in silos.Silos)
        {
            Assert.Equal("a", (await silos.Gateway(silo).Elector.HearAsync(tenant, Seen("a", null), default)).Elected);
        }

        while (silos.Silos.Count > 1)
        {
            // One of them has the grain.
            await silos.KillAsync(silos.Silos[0]);
            Assert.Equal("a", (await HearAsync(silos, 0, "b", known: "a")).Elected);
        }
    }

    private static ReplicaSighting Seen(string replica, string? known) => new("c", replica, known, TimeSpan.FromSeconds(30), 10);

    /// <summary>Asks, again while the silo that was asked is not known to be gone.</summary>
    private static async Task<ReplicaElection> HearAsync(SiloCluster silos, int through, string replica, string? known = null)
    {
        var end = DateTime.UtcNow.AddSeconds(60);
        while (true)
        {
            try
            {
                return await silos.Gateway(silos.Silos[through]).Elector.HearAsync(tenant, Seen(replica, known), default);
            }
            catch (IOException) when (DateTime.UtcNow < end)
            {
                await Task.Delay(100);
            }
        }
    }
}
