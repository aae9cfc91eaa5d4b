using System.Diagnostics;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>Calls to a shard, carried by its grain. What the grain says it has not begun is sent again for a while: a hand-over takes moments.</summary>
internal sealed class GrainShardChannel(ShardId shard, IShardGrain grain, SiloOptions options, TimeProvider time) : IShardChannel
{
    /// <summary>What the caller's span is called in Orleans's context of a request.</summary>
    public const string Caller = "metrics.traceparent";

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> CallAsync(ReadOnlyMemory<byte> call, CancellationToken cancellation)
    {
        using var span = ClusterTracing.Calling(shard);
        if (Activity.Current?.Id is { } caller)
        {
            RequestContext.Set(Caller, caller); // Ends with this method.
        }

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
