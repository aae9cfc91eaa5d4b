using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Where a shard is opened: on a silo that suits its tenant (<see cref="TenantPool"/>), by preference where its log lies, and of those where least is done.</summary>
public static class OwnerChoice
{
    /// <summary>A silo is passed over for a holder that has this many times the weight: copying a log costs less than such a neighbour.</summary>
    private const double TooMuchHeavier = 4;

    /// <summary>The silo that suits best, or null when there is none.</summary>
    /// <param name="shard">Which shard.</param>
    /// <param name="hosts">The silos that take part now.</param>
    /// <param name="holders">The nodes that hold its log, those of the newest ensemble first; none for a shard that was never open.</param>
    public static NodeId? Of(ShardId shard, IReadOnlyCollection<ShardHost> hosts, IReadOnlyCollection<NodeId> holders)
    {
        hosts = TenantPool.Suiting(shard.Tenant, hosts);
        var holding = Best(shard, hosts.Where(h => holders.Contains(h.Node)));
        var any = Best(shard, hosts);
        return holding is null || (holding.Load.IsFull && any is { Load.IsFull: false } && holding.Load.Weight > TooMuchHeavier * any.Load.Weight) ? any?.Node : holding.Node;
    }

    /// <summary>Of two silos drawn by the shard, the one that does less: as even as asking all, and without all shards of one moment going to the same silo.</summary>
    private static ShardHost? Best(ShardId shard, IEnumerable<ShardHost> hosts)
    {
        var drawn = hosts.OrderBy(static h => h.Load.IsFull).ThenByDescending(h => Rendezvous.Score(shard, h.Node)).Take(2).ToList();
        return drawn is [var first, var second] && second.Load.IsFull == first.Load.IsFull && second.Load.Weight < first.Load.Weight ? second : drawn.FirstOrDefault();
    }
}
