using Metrics.Model;

namespace Metrics.Simulation;

/// <summary>Stands for membership and placement: sees to it that a shard has an owner, and is sometimes wrong about which nodes live, so that there are two.</summary>
internal sealed class SimDirector(SimWorld world, ShardId shard)
{
    /// <summary>Where the director is on the network.</summary>
    public const int Place = -1;

    private SimNode? owner;
    private bool doubts;

    /// <summary>The node that it believes to be the owner's.</summary>
    public SimNode? Owner => owner;

    /// <summary>The one before.</summary>
    public SimNode? Former { get; private set; }

    /// <summary>The shard.</summary>
    public ShardId Shard => shard;

    /// <summary>True while it does not make mistakes on its own.</summary>
    public bool IsCalm { get; set; }

    /// <summary>True when its shard is no more.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>Its shard is no more.</summary>
    public void End() => IsEnded = true;

    /// <summary>Lets it think that the owner is dead.</summary>
    public void Doubt() => doubts = true;

    /// <summary>Looks after the shard for ever.</summary>
    public async Task RunAsync()
    {
        var time = world.Faults.World.Time;
        while (!IsEnded)
        {
            await Task.Delay(world.Scheduler.Between(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(900)), time);
            if (owner is not null && await TryAsync(owner, TimeSpan.FromSeconds(1.5), n => Task.FromResult(n.Serves(shard))))
            {
                if (!IsCalm && (doubts || (world.Nemesis.Steals && world.Scheduler.Chance(0.1))))
                {
                    doubts = false;
                    world.Faults.Count("owner doubled");
                    await PlaceAsync(Any(), prepare: false);
                }
                else if (!IsCalm && world.Nemesis.Moves && world.Scheduler.Chance(0.08))
                {
                    world.Faults.Count("planned move");
                    await PlaceAsync(Any(), prepare: true);
                }

                continue;
            }

            await PlaceAsync(owner is { Process.IsDead: false } && world.Scheduler.Chance(0.6) ? owner : Any(), prepare: false);
        }
    }

    private SimNode Any()
    {
        var alive = world.Nodes.Where(n => !n.Process.IsDead).ToList();
        return alive.Count == 0 || world.Scheduler.Chance(0.05) ? world.Nodes[world.Scheduler.Random.Next(world.Nodes.Count)] : alive[world.Scheduler.Random.Next(alive.Count)];
    }

    private async Task PlaceAsync(SimNode next, bool prepare)
    {
        if (prepare && owner is not null)
        {
            await TryAsync(next, TimeSpan.FromSeconds(5), n => n.CatchUpAsync(shard));
            await TryAsync(owner, TimeSpan.FromSeconds(3), n => n.CloseAsync(shard));
        }

        (Former, owner) = (owner, next);
        await TryAsync(next, TimeSpan.FromSeconds(12), n => n.OpenAsync(shard));
    }

    private async Task<bool> TryAsync(SimNode node, TimeSpan patience, Func<SimNode, Task<bool>> call)
    {
        try
        {
            return await world.Network.CallAsync(Place, world.Faults.World, node.Place, () => node.Process, () => call(node)).WaitAsync(patience, world.Faults.World.Time);
        }
        catch (Exception e) when (e is IOException or TimeoutException or Metrics.Cluster.EpochLostException)
        {
            return false;
        }
    }
}
