using Metrics.Cluster;
using Metrics.Model;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

/// <summary>The owners of shards as a split or merge reaches them: through their grains.</summary>
internal sealed partial class SiloShardOwners(IGrainFactory grains, ILogger<SiloShardOwners> logger) : IShardOwners
{
    /// <inheritdoc/>
    public async ValueTask SealAsync(ShardId parent, SealRequest request, CancellationToken cancellation)
    {
        try
        {
            var reply = await grains.GetGrain<IShardGrain>(ShardKey.Of(parent)).SealAsync(request.Announced, request.MustBeNarrow, request.OnlyPrepares).AsTask().WaitAsync(cancellation);
            if (reply.Problem is { } problem)
            {
                throw reply.IsMoved ? ShardUnavailableException.Moved(parent) : new ShardUnavailableException(parent, problem);
            }
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new ShardUnavailableException(parent, "its owner can't be reached now, or is being replaced", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask AdoptAsync(TenantId tenant, ShardMap map, ShardMapChange change, CancellationToken cancellation)
    {
        // First the parents close: whoever asks them is sent on from then on.
        await Task.WhenAll(change.Parents.Select(p => TellAsync(new ShardId(tenant, p), static g => g.ReleaseAsync().AsTask())));
        await Task.WhenAll(change.Children.Where(map.Has).Select(c => TellAsync(new ShardId(tenant, c), static g => g.WakeAsync().AsTask())));
    }

    private async Task TellAsync(ShardId shard, Func<IShardGrain, Task> tell)
    {
        try
        {
            await tell(grains.GetGrain<IShardGrain>(ShardKey.Of(shard)));
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            LogNotTold(shard, e.Message); // A sealed one looks by itself before long, a child opens with the first call.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: does not know yet what became of its split or merge: {Problem}")]
    private partial void LogNotTold(ShardId shard, string problem);
}
