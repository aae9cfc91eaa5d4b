using Metrics.Model;

namespace Metrics.Simulation;

/// <summary>A sender: writes unique ids, one after the other, and each again until it is acknowledged.</summary>
internal sealed class SimClient
{
    private readonly SimWorld world;
    private readonly SimProcess process;
    private readonly int place;
    private readonly HashSet<ShardId> probing = [];
    private bool mayStop;

    /// <summary>Makes a sender.</summary>
    public SimClient(SimWorld world, int number)
    {
        this.world = world;
        place = 100 + number;
        process = new SimProcess(world.Scheduler, 10 + number, $"client{number}");
    }

    /// <summary>Shards to which a write was acknowledged after <see cref="Probe"/>.</summary>
    public HashSet<ShardId> Probed { get; } = [];

    /// <summary>Begins to write.</summary>
    public void Start()
    {
        // Several at a time, so that batches form.
        for (var i = 0; i < 3; i++)
        {
            process.Start(WriteAsync);
        }
    }

    /// <summary>Writes to each shard once more, unless it was done.</summary>
    public void Probe()
    {
        foreach (var shard in world.Shards.Where(probing.Add))
        {
            process.Start(async () =>
            {
                await WriteAsync(shard);
                Probed.Add(shard);
            });
        }
    }

    /// <summary>No new writes; those under way are tried until they succeed.</summary>
    public void Stop() => mayStop = true;

    private async Task WriteAsync()
    {
        while (!mayStop)
        {
            await WriteAsync(world.Shards[world.Scheduler.Random.Next(world.Shards.Count)]);
            await Task.Delay(world.Scheduler.Between(TimeSpan.FromMilliseconds(5), world.WritePause), process.Time);
        }
    }

    private async Task WriteAsync(ShardId shard)
    {
        var id = world.NextNumber();
        world.HashOf(id, shard.Range);
        world.Checker.OnWrite(id);
        var director = world.DirectorOf(id);
        while (true)
        {
            // By an old map now and then.
            director = director is null || director.IsEnded && world.Scheduler.Chance(0.5) ? world.DirectorOf(id) : director;
            var node = world.Scheduler.Chance(0.25) ? director?.Former : director?.Owner;
            try
            {
                if (node is not null)
                {
                    await world.Network.CallAsync(place, process, node.Place, () => node.Process, () => node.WriteAsync(director!.Shard, id)).WaitAsync(TimeSpan.FromSeconds(3), process.Time);
                    world.Checker.OnAcknowledged(id);
                    return;
                }
            }
            catch (Exception e) when (e is IOException or TimeoutException or Metrics.Cluster.EpochLostException)
            {
                world.Faults.Count("write tried again");
            }

            await Task.Delay(world.Scheduler.Between(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(500)), process.Time);
        }
    }
}
