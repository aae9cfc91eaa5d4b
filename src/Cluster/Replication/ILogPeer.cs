namespace Metrics.Cluster;

/// <summary>A replica of one log, wherever it is.</summary>
internal interface ILogPeer
{
    /// <summary>Asks it something. The outcome of a call that fails is open: the replica may have done it, or do it later.</summary>
    /// <exception cref="IOException">There was no answer, or one that is none.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    ValueTask<ReplicaAnswer> AskAsync(ReplicaRequest request, CancellationToken cancellation);
}

/// <summary>Carries messages between silos. Nothing else of the protocol knows how: a grain call, or a simulated network.</summary>
/// <remarks>
/// Messages may be lost, late, repeated or out of order, and nodes may hang. A message is answered by what <see cref="LogReplicas.AnswerAsync"/> of its node gives for it.
/// </remarks>
public interface ILogTransport
{
    /// <summary>Sends a message to a node; gives the node's answer to it. The bytes are not changed afterwards by either side.</summary>
    /// <exception cref="IOException">The node can't be reached, or did not answer in time.</exception>
    ValueTask<ReadOnlyMemory<byte>> SendAsync(NodeId node, ReadOnlyMemory<byte> message, CancellationToken cancellation);
}

/// <summary>A replica on another node.</summary>
internal sealed class RemotePeer(LogId log, NodeId node, ILogTransport transport) : ILogPeer
{
    /// <inheritdoc/>
    public async ValueTask<ReplicaAnswer> AskAsync(ReplicaRequest request, CancellationToken cancellation)
    {
        var answer = await transport.SendAsync(node, ReplicaMessage.Encode(log, request), cancellation);
        try
        {
            return ReplicaMessage.DecodeAnswer(answer);
        }
        catch (InvalidDataException e)
        {
            throw new IOException($"{node} answered for {log} with bytes that are no answer: {e.Message}", e);
        }
    }
}
