using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The log that a shard's store appends to: a local one, or one that is replicated.</summary>
internal interface IShardLog : IAsyncDisposable
{
    /// <summary>Names the log, for cuts.</summary>
    string Lineage { get; }

    /// <summary>The number that the next record will have.</summary>
    long NextRecord { get; }

    /// <summary>False while so much waits for its acknowledgement that writers should be turned away.</summary>
    bool HasRoom { get; }

    /// <summary>Takes a record in; returns its number. It is not durable yet. For one thread at a time.</summary>
    /// <exception cref="IOException">The log failed earlier.</exception>
    long Append(ReadOnlySpan<byte> payload);

    /// <summary>Completes when all records up to a number, inclusive, are acknowledged.</summary>
    /// <exception cref="IOException">They could not be; whether they will be there after the next opening is open.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    ValueTask WaitDurableAsync(long number);

    /// <summary>Shows a visitor the records there are, in order; before anything is appended.</summary>
    /// <exception cref="IOException">They can't be read.</exception>
    /// <exception cref="InvalidDataException">They are not what was written.</exception>
    ValueTask ReplayAsync(ILogVisitor visitor, CancellationToken cancellation);

    /// <summary>Lets go of records that blocks hold: those before a number.</summary>
    /// <remarks>What later records refer to has to be elsewhere by then: a replica keeps no checkpoint.</remarks>
    /// <exception cref="IOException">It could not be written down; to be called again.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    ValueTask TruncateBeforeAsync(long number, CancellationToken cancellation);
}
