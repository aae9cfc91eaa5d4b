using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>Hands shards over to other silos, and sees to it that they get there.</summary>
/// <remarks>
/// Whether a grain that set off has arrived, the grain alone can say. A call that was still on its way to the silo that the shard goes to, by an address from before, can make Orleans begin a grain there that is given up
/// at once, for the shard is registered elsewhere; the one that arrives at that moment is taken for the same, and is given up with it. The shard opens again where it came from then, with nothing lost.
/// </remarks>
internal sealed class ShardHandOver(IGrainFactory grains, SiloContext silo, TimeProvider time)
{
    /// <summary>Hands a shard over to the silo of a node. It is closed where it was and has its grain there when this completes; it may still be opening.</summary>
    /// <returns>Why it is not there, or null.</returns>
    /// <exception cref="OrleansException">The shard's owner can't be reached.</exception>
    /// <exception cref="TimeoutException">It did not answer.</exception>
    public async ValueTask<string?> MoveAsync(ShardId shard, NodeId to, CancellationToken cancellation)
    {
        var grain = grains.GetGrain<IShardGrain>(ShardKey.Of(shard));
        long? since = null;
        while (true)
        {
            var reply = await grain.MoveAsync(to.Value).AsTask().WaitAsync(cancellation);
            since ??= time.GetTimestamp(); // The first call may have waited for a log to be copied.
            if (reply.Problem is not { } problem)
            {
                return null;
            }

            if (!reply.IsPassing || time.GetElapsedTime(since.Value) > silo.Options.MovePatience)
            {
                return problem;
            }

            await Task.Delay(silo.Options.MoveRetry, time, cancellation);
        }
    }
}
