using Metrics.Cluster;
using Orleans.Runtime.Placement;

namespace Metrics.Grains;

/// <summary>Finds a silo for a shard: the one that a hand-over names; else, by preference, one whose node holds the shard's log and that does little (<see cref="OwnerChoice"/>).</summary>
internal sealed class ShardPlacementDirector(SiloContext silo, SiloDirectory directory) : IPlacementDirector
{
    /// <inheritdoc/>
    public async Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var compatible = context.GetCompatibleSilos(target);
        if (IPlacementDirector.GetPlacementHint(target.RequestContextData, compatible) is { } hint && directory.Silos.Any(s => s.Address.Equals(hint) && s.Card.HoldsShards))
        {
            return hint;
        }

        var hosts = directory.Hosts.Where(h => directory.Find(h.Node) is { } at && compatible.Contains(at)).ToList();
        if (hosts.Count == 0)
        {
            // One that is leaving is better than none: it may be the last.
            hosts = [.. directory.Silos.Where(s => s.Card.HoldsShards && compatible.Contains(s.Address)).Select(static s => new ShardHost(s.Card.Node, s.Card.Zone, default) { Pool = s.Card.Pool })];
        }

        var shard = ShardKey.Parse(target.GrainIdentity.Key.ToString()!);
        IReadOnlyList<NodeId> holders;
        try
        {
            holders = await LogHolders.FindAsync(silo.Store, shard, CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new OrleansException($"no silo can be found for {shard}, for nobody can say where its log lies: {e.Message}", e);
        }

        return OwnerChoice.Of(shard, hosts, holders) is { } node && directory.Find(node) is { } address
            ? address
            : throw new OrleansException($"no silo that holds shards is there for {shard}");
    }
}
