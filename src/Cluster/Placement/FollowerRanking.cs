using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>In which order silos are asked to hold a replica: zones that have none yet first, and each zone once before any twice.</summary>
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
            var next = left.MinBy(Used)!; // The first of those in the least used zones.
            left.Remove(next);
            ranked.Add(next.Node);
            Use(next);
        }

        return ranked;

        int Used(ShardHost host) => used.GetValueOrDefault(ZoneOf(host));

        void Use(ShardHost host) => used[ZoneOf(host)] = Used(host) + 1;
    }

    /// <summary>A member whose zone holds another one too, while a zone without any could take its place; null when there is none, or not all members take part now. Never the owner.</summary>
    public static NodeId? Crowded(IReadOnlyCollection<ShardHost> hosts, IReadOnlyCollection<NodeId> members, NodeId owner)
    {
        var placed = hosts.Where(h => members.Contains(h.Node)).ToLookup(ZoneOf, StringComparer.Ordinal);
        if (placed.Sum(static z => z.Count()) < members.Count || !hosts.Any(h => !placed.Contains(ZoneOf(h)) && !h.Load.IsFull))
        {
            return null;
        }

        var crowd = placed.MaxBy(static z => z.Count());
        return crowd is null || crowd.Count() < 2 ? null : crowd.Last(h => h.Node != owner).Node;
    }

    /// <summary>A silo without a zone is one by itself.</summary>
    private static string ZoneOf(ShardHost host) => host.Zone.Length > 0 ? "z" + host.Zone : "n" + host.Node.Value;
}
