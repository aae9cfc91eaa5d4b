using Metrics.Cluster;

namespace Metrics.Grains;

/// <summary>Calls to a shard, carried by its grain. What the grain says it has not begun is sent again for a while: a hand-over takes moments.</summary>
internal sealed class GrainShardChannel(IShardGrain grain, SiloOptions options, TimeProvider time) : IShardChannel
{
    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> CallAsync(ReadOnlyMemory<byte> call, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            var reply = await AskAsync(call, cancellation);
            if (reply.Problem is null)
            {
                return reply.Answer.Bytes;
            }

            if (reply.IsMoved)
            {
                throw new ShardMovedException();
            }

            if (!reply.IsPassing || time.GetElapsedTime(began) > options.MovePatience)
            {
                throw new IOException(reply.Problem);
            }

            await Task.Delay(options.MoveRetry, time, cancellation);
        }
    }

    private async ValueTask<ShardReply> AskAsync(ReadOnlyMemory<byte> call, CancellationToken cancellation)
    {
        try
        {
            return await grain.CallAsync(new Payload(call), cancellation);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            throw new IOException("its owner can't be reached now, or is being replaced", e); // What Orleans says of it goes on for pages.
        }
    }
}
