using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The log that a shard's store appends to: a local one, or one that is replicated.</summary>
/// <remarks>First of all it is replayed, perhaps twice, and only then written.</remarks>
internal interface IShardLog : IAsyncDisposable
{
    /// <summary>Names the log, for cuts.</summary>
    string Lineage { get; }

    /// <summary>The number that the next record will have.</summary>
    long NextRecord { get; }

    /// <summary>Bytes of the log, as far as known.</summary>
    long Bytes { get; }

    /// <summary>False while so much waits for its acknowledgement that writers should be turned away.</summary>
    bool HasRoom { get; }

    /// <summary>Faults when nothing more will be acknowledged: with <see cref="EpochLostException"/> when another owner has the shard, else with what failed. A log that tells only who waits never completes it.</summary>
    Task Failed { get; }

    /// <summary>Takes a record in; returns its number. It is not durable yet. For one thread at a time.</summary>
    /// <exception cref="IOException">The log failed earlier.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    long Append(ReadOnlySpan<byte> payload);

    /// <summary>Completes when all records up to a number, inclusive, are acknowledged.</summary>
    /// <exception cref="IOException">They could not be; whether they will be there after the next opening is open.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    ValueTask WaitDurableAsync(long number);

    /// <summary>The same for a batch of a sender, who waits for a limited time.</summary>
    /// <exception cref="IOException">As there.</exception>
    /// <exception cref="EpochLostException">As there.</exception>
    /// <exception cref="TimeoutException">They are not acknowledged yet; whether they will be is open. There is no room for others until they are.</exception>
    ValueTask CommitAsync(long number) => WaitDurableAsync(number);

    /// <summary>Shows a visitor what there is, in order: the series that records refer to without carrying their labels, then the records; before anything is appended.</summary>
    /// <param name="visitor">Is shown it.</param>
    /// <param name="from">The first record that the visitor needs; for a later one than 0 those series are left out, since the visitor has them.</param>
    /// <param name="report">Is told, in a sentence, of what can't be shown.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">They can't be read.</exception>
    /// <exception cref="InvalidDataException">They are not what was written.</exception>
    ValueTask ReplayAsync(ILogVisitor visitor, long from, Action<string> report, CancellationToken cancellation);

    /// <summary>Another name from now on: the end of the log was lost, and its numbers are given out again.</summary>
    /// <exception cref="IOException">It could not be written down.</exception>
    void Rename();

    /// <summary>Lets go of records that are needed no more: those before a number.</summary>
    /// <param name="number">Records from this on are needed.</param>
    /// <param name="writeSeries">Writes the series that those may refer to without carrying their labels; called before this returns its task, or not at all.</param>
    /// <param name="cancellation">Ends it; what was there before is still there.</param>
    /// <exception cref="IOException">It could not be written down; to be called again.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    ValueTask TruncateBeforeAsync(long number, Action<LogCheckpointWriter> writeSeries, CancellationToken cancellation);
}
