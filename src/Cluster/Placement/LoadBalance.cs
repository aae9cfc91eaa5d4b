using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A shard, who owns it and what it costs him.</summary>
/// <param name="Shard">Which.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="Weight">Its weight (<see cref="ShardWeight"/>).</param>
/// <param name="Holders">The nodes that hold its log.</param>
/// <param name="IsSettled">False while too little was seen of it to say what it weighs: it counts, and stays.</param>
public sealed record PlacedShard(ShardId Shard, NodeId Owner, double Weight, IReadOnlyList<NodeId> Holders, bool IsSettled = true);

/// <summary>A shard that is to be handed over.</summary>
/// <param name="Shard">Which.</param>
/// <param name="From">Its owner.</param>
/// <param name="To">Its next owner.</param>
public sealed record ShardMove(ShardId Shard, NodeId From, NodeId To);

/// <summary>Which shard to hand over so that silos do about the same: one move at a time, seen anew after each.</summary>
/// <remarks>Shards on silos that don't suit their tenant (<see cref="TenantPool"/>) come first, and others stay among those that do. A move must narrow the gap between two silos by more than it could widen any other, so moves come to an end: each makes the sum of squared weights smaller.</remarks>
public static class LoadBalance
{
    /// <summary>Silos whose weights differ by less than this share of the mean are left alone: a hand-over costs more.</summary>
    private const double Tolerance = 0.2;

    /// <summary>A shard that makes up more than this share of the gap stays: it would leave nearly the same gap the other way round, and its senders would have waited for the replay of its log for nothing.</summary>
    private const double MostOfGap = 0.9;

    /// <summary>A move to a silo that has no copy of the log must narrow the gap by so much more: the log must be sent.</summary>
    private const double CopyPenalty = 0.5;

    /// <summary>The next move, or null when all is well.</summary>
    /// <param name="hosts">The silos that take part and are not leaving.</param>
    /// <param name="shards">Every open shard.</param>
    /// <param name="attempts">What was tried before: what is held there is left out. Null for nothing.</param>
    public static ShardMove? Next(IReadOnlyCollection<ShardHost> hosts, IReadOnlyCollection<PlacedShard> shards, MoveAttempts? attempts = null)
    {
        if (hosts.Count < 2 || shards.Count == 0)
        {
            return null;
        }

        var weights = hosts.ToDictionary(static h => h.Node, static _ => 0.0);
        foreach (var shard in shards)
        {
            if (weights.TryGetValue(shard.Owner, out var weight))
            {
                weights[shard.Owner] = weight + shard.Weight;
            }
        }

        var suiting = shards.Select(static s => s.Shard.Tenant).Distinct().ToDictionary(static t => t, t => TenantPool.Suiting(t, hosts).Select(static h => h.Node).ToHashSet());
        foreach (var shard in shards.Where(s => weights.ContainsKey(s.Owner) && !suiting[s.Shard.Tenant].Contains(s.Owner)))
        {
            // It was there before the silos that suit its tenant.
            if (hosts.Where(h => suiting[shard.Shard.Tenant].Contains(h.Node) && !h.Load.IsFull && attempts?.IsHeld(shard.Shard, h.Node) != true).OrderBy(h => shard.Holders.Contains(h.Node) ? 0 : 1).ThenBy(h => weights[h.Node]).FirstOrDefault() is { } home)
            {
                return new ShardMove(shard.Shard, shard.Owner, home.Node);
            }
        }

        var mean = weights.Values.Sum() / hosts.Count;
        var (best, bestGain) = (default(ShardMove), 0.0);
        foreach (var from in hosts)
        {
            // One that lacks memory or processors gives away even where its shards weigh no more than others'.
            var margin = from.Load.IsFull ? 0 : Tolerance * mean;
            foreach (var to in hosts.Where(h => h.Node != from.Node && !h.Load.IsFull))
            {
                var gap = weights[from.Node] - weights[to.Node];
                foreach (var shard in gap > margin ? shards.Where(s => s.IsSettled && s.Owner == from.Node && suiting[s.Shard.Tenant].Contains(to.Node) && attempts?.IsHeld(s.Shard, to.Node) != true) : [])
                {
                    // What the sum of squares loses, halved, is weight * (gap - weight).
                    var gain = shard.Weight <= MostOfGap * gap ? shard.Weight * (gap - shard.Weight) : 0;
                    gain *= shard.Holders.Contains(to.Node) ? 1 : CopyPenalty;
                    if (gain > bestGain)
                    {
                        (best, bestGain) = (new ShardMove(shard.Shard, from.Node, to.Node), gain);
                    }
                }
            }
        }

        return best;
    }
}
