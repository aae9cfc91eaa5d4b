using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>In which order silos are asked to hold a replica: those that suit its tenant before others (<see cref="TenantPool"/>); of these, zones that have none yet first, and each zone once before any twice.</summary>
public static class FollowerRanking
{
    /// <summary>The nodes that may become followers, the best first. Those that are members are not among them.</summary>
    /// <param name="shard">Whose log.</param>
    /// <param name="hosts">The silos that take part now.</param>
    /// <param name="members">Who holds a replica already; the owner too.</param>
    public static IReadOnlyList<NodeId> Of(ShardId shard, IReadOnlyCollection<ShardHost> hosts, IReadOnlyCollection<NodeId> members)
    {
        var used = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var member in hosts.Where(h => members.Contains(h.Node)))
        {
            Use(member);
        }

        var left = hosts.Where(h => !members.Contains(h.Node)).OrderBy(static h => h.Load.IsFull).ThenByDescending(h => Rendezvous.Score(shard, h.Node)).ToList();
        var ranked = new List<NodeId>(left.Count);
        while (left.Count > 0)
        {
            var next = left.MinBy(h => (h.Pool.RankFor(shard.Tenant), Used(h)))!; // The first of those in the least used zones.
            left.Remove(next);
            ranked.Add(next.Node);
            Use(next);
        }

        return ranked;

        int Used(ShardHost host) => used.GetValueOrDefault(ZoneOf(host));

        void Use(ShardHost host) => used[ZoneOf(host)] = Used(host) + 1;
    }

    /// <summary>
    /// A member that another could take the place of: one that suits the tenant less; or one whose zone holds another member too, for a zone without any. Null when there is none, or not all members take part now. Never the owner.
    /// </summary>
    public static NodeId? Crowded(ShardId shard, IReadOnlyCollection<ShardHost> hosts, IReadOnlyCollection<NodeId> members, NodeId owner)
    {
        var placed = hosts.Where(h => members.Contains(h.Node)).ToList();
        var others = TenantPool.Suiting(shard.Tenant, [.. hosts.Where(h => !members.Contains(h.Node) && !h.Load.IsFull)]);
        if (placed.Count < members.Count || others.Count == 0)
        {
            return null;
        }

        var rank = others[0].Pool.RankFor(shard.Tenant);
        if (placed.Where(h => h.Node != owner).MaxBy(Rank) is { } strange && Rank(strange) > rank)
        {
            return strange.Node;
        }

        // Of those that suit the tenant better none gives way to these.
        var zones = placed.ToLookup(ZoneOf, StringComparer.Ordinal);
        var crowd = zones.MaxBy(static z => z.Count());
        return crowd is null || crowd.Count() < 2 || others.All(h => zones.Contains(ZoneOf(h))) ? null : crowd.LastOrDefault(h => h.Node != owner && Rank(h) == rank)?.Node;

        int Rank(ShardHost host) => host.Pool.RankFor(shard.Tenant);
    }

    /// <summary>A silo without a zone is one by itself.</summary>
    private static string ZoneOf(ShardHost host) => host.Zone.Length > 0 ? "z" + host.Zone : "n" + host.Node.Value;
}
