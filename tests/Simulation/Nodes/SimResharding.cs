using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Simulation;

/// <summary>Splits and merges shards now and then, from any node, and sometimes from two at once: the real protocol, with owners reached over the network.</summary>
internal sealed class SimResharding(SimWorld world)
{
    private const int MostShards = 5;

    /// <summary>Goes on until the world is good again.</summary>
    public async Task RunAsync()
    {
        while (!world.Nemesis.IsOver)
        {
            await Task.Delay(world.Scheduler.Between(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(2500)), world.Faults.World.Time);
            var node = world.Nodes[world.Scheduler.Random.Next(world.Nodes.Count)];
            var shards = world.Shards;
            var shard = shards[world.Scheduler.Random.Next(shards.Count)];
            var splits = shards.Count == 1 || (shards.Count < MostShards && world.Scheduler.Chance(0.6));
            if (!node.Process.IsDead)
            {
                node.Process.Start(() => ChangeAsync(node, shard, splits));
            }
        }
    }

    private async Task ChangeAsync(SimNode node, ShardId shard, bool splits)
    {
        var options = new ReshardingOptions { SealTimeout = TimeSpan.FromSeconds(5), GivenUpAfter = TimeSpan.FromSeconds(8) };
        var resharding = new Resharding(node.Bucket, node.Archive.Maps, new Owners(world, node), options, node.Process.Time, world.Mutant, what => world.Say($"{node.Id}: {shard}: {what}"));
        try
        {
            await (splits ? resharding.SplitAsync(shard, CancellationToken.None) : resharding.MergeAsync(shard, CancellationToken.None));
            world.Faults.Count(splits ? "shard split" : "shards merged");
        }
        catch (Exception e) when (e is ShardUnavailableException or ArgumentException or IOException or EpochLostException)
        {
            world.Faults.Count("change failed");
            world.Say($"{node.Id}: {shard} is not {(splits ? "split" : "merged")}: {e.Message}");
        }
    }

    private sealed class Owners(SimWorld world, SimNode node) : IShardOwners
    {
        public async ValueTask SealAsync(ShardId parent, SealRequest request, CancellationToken cancellation)
        {
            var owner = world.Directors.FirstOrDefault(d => d.Shard == parent)?.Owner ?? throw new ShardUnavailableException(parent, "nobody has it");
            await CallAsync(owner, parent, n => n.SealAsync(parent, request), cancellation);
        }

        public async ValueTask AdoptAsync(TenantId tenant, ShardMap map, ShardMapChange change, CancellationToken cancellation)
        {
            foreach (var parent in change.Parents.Select(p => new ShardId(tenant, p)))
            {
                try
                {
                    if (world.Directors.FirstOrDefault(d => d.Shard == parent)?.Owner is { } owner)
                    {
                        await CallAsync(owner, parent, n => n.ReleaseAsync(parent), cancellation);
                    }
                }
                catch (ShardUnavailableException)
                {
                    world.Faults.Count("shard not released");
                }
            }
        }

        private async Task CallAsync(SimNode owner, ShardId shard, Func<SimNode, Task<bool>> call, CancellationToken cancellation)
        {
            try
            {
                await world.Network.CallAsync(node.Place, node.Process, owner.Place, () => owner.Process, () => call(owner)).WaitAsync(TimeSpan.FromSeconds(5), node.Process.Time, cancellation);
            }
            catch (Exception e) when (e is IOException or TimeoutException or EpochLostException)
            {
                throw new ShardUnavailableException(shard, e.Message, e);
            }
        }
    }
}
