namespace Metrics.Cluster;

/// <summary>Carries calls to the owner of one shard, wherever it is now. Nothing else knows how: a grain call, or a method call in a test. Thread-safe.</summary>
/// <remarks>A call is answered by what <see cref="IShardNode.AnswerShardAsync"/> of the owner's node gives for it. Calls overlap; an append must not wait for a query.</remarks>
public interface IShardChannel
{
    /// <summary>Sends a call to the shard's owner and gives the owner's answer. Neither side changes the bytes afterwards.</summary>
    /// <exception cref="IOException">The owner can't be reached, did not answer in time, or there is none now. Whether it has done what was asked is open.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the owner stops as soon as it notices.</exception>
    ValueTask<ReadOnlyMemory<byte>> CallAsync(ReadOnlyMemory<byte> call, CancellationToken cancellation);
}

/// <summary>The shard was split or merged, as an owner of its range said that could not be asked itself any more.</summary>
public sealed class ShardMovedException() : IOException("the shard was split or merged");
