using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Looks after the blocks of shards that nobody calls, and that are therefore open nowhere: opens those for which something is due, which costs a reading of each manifest.</summary>
/// <param name="maps">The tenants.</param>
/// <param name="node">Knows how long each tenant's blocks are kept, and when they are merged.</param>
/// <param name="report">Is told, in a sentence, what could not be looked at.</param>
public sealed class IdleShards(TenantShardMaps maps, IShardNode node, Action<string> report)
{
    /// <summary>Looks at every shard once, one after the other.</summary>
    /// <param name="isOpen">True for shards that need no look, because they are open somewhere.</param>
    /// <param name="open">Opens a shard; it looks after itself then, until it is closed for want of calls.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>How many were opened.</returns>
    /// <exception cref="IOException">Tenants can't be listed.</exception>
    public async Task<int> LookAsync(Func<ShardId, bool> isOpen, Func<ShardId, Task> open, CancellationToken cancellation)
    {
        var opened = 0;
        await foreach (var tenant in maps.ListAsync(cancellation))
        {
            try
            {
                foreach (var range in (await maps.FindAsync(tenant, cancellation))?.Ranges ?? [])
                {
                    var shard = new ShardId(tenant, range);
                    if (!isOpen(shard) && await node.IsWorkDueAsync(shard, cancellation))
                    {
                        await open(shard);
                        opened++;
                    }
                }
            }
            catch (Exception e) when (e is ShardUnavailableException or InvalidDataException)
            {
                report($"idle shards of tenant {tenant} could not be looked at, and will be: {e.Message}");
            }
        }

        return opened;
    }
}
