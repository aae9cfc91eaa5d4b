using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What an open shard keeps on this machine: log, head and blocks, as one. <see cref="Shard"/> is the only caller.</summary>
/// <remarks>
/// Appends and <see cref="Maintain"/> come from one thread at a time for each of the two, and may overlap with each other and with any number of reads.
/// After an <see cref="IOException"/> from <see cref="Append"/> or <see cref="CommitAsync"/> memory and disk may differ: the store takes no
/// more writes, and its owner disposes it and opens the folder again. Series sets taken before the disposal stay readable.
/// </remarks>
internal interface IShardStore : IAsyncDisposable
{
    /// <summary>To which opening the references belong; random, never 0.</summary>
    ulong Incarnation { get; }

    /// <summary>Counts for status pages.</summary>
    ShardStatistics Statistics { get; }

    /// <summary>Up to when the past is settled, and how often it was changed since the opening; see <see cref="ShardHistory"/>.</summary>
    ShardHistory History { get; }

    /// <summary>Takes a batch in one synchronous stretch: resolves series, judges samples, applies those accepted and hands the record of what is new to the log.</summary>
    /// <param name="batch">Its references are of this incarnation and its carried series of this shard's range.</param>
    /// <param name="maxTimeMs">Samples later than this are too far in the future.</param>
    /// <param name="position">The end of the log, which <see cref="CommitAsync"/> waits for. A batch with nothing new waits too: what it repeats may
    /// still be on its way to the disk.</param>
    /// <exception cref="IOException">The log refused.</exception>
    AppendResult Append(SampleBatch batch, long maxTimeMs, out long position);

    /// <summary>The tenant's active series, whose places may have to be reserved for a batch that carries series; null when nobody counts them.</summary>
    ActiveSeries? ActiveSeries => null;

    /// <summary>False while so much waits to be durable that batches should be turned away.</summary>
    bool HasRoom { get; }

    /// <summary>Faults when nothing more will be durable, where that is known before anybody waits: with <see cref="EpochLostException"/> when another owner has the shard, else with what failed.</summary>
    Task Failed { get; }

    /// <summary>Completes when the log is durable, as its policy says, up to a position.</summary>
    /// <exception cref="IOException">It could not be made durable.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    /// <exception cref="TimeoutException">It is not durable yet, and may become so.</exception>
    ValueTask CommitAsync(long position);

    /// <summary>Adds the series sets of the blocks and the head that a selection touches, by time, to a list whose owner disposes them.</summary>
    void Select(IReadOnlyList<Matcher> matchers, TimeRange range, SelectionHints hints, List<ISeriesSet> into, CancellationToken cancellation);

    /// <summary>The exemplars in a range, with their series.</summary>
    IEnumerable<(Labels Series, Exemplar Exemplar)> Exemplars(TimeRange range);

    /// <summary>Shows the labels of the series that a selection finds, in any order, possibly repeated, one at a time.</summary>
    void VisitSeries(IReadOnlyList<Matcher> matchers, TimeRange range, LabelsVisitor visit, CancellationToken cancellation);

    /// <summary>The names of labels of matching series with samples in the range, in any order, possibly repeated.</summary>
    void AddLabelNames(IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into);

    /// <summary>The values of a label of matching series with samples in the range, in any order, possibly repeated.</summary>
    void AddLabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into);

    /// <summary>Shows every label pair of the head and how many series carry it.</summary>
    void VisitHeadPairs(LabelPairVisitor visit);

    /// <summary>What is not served because its bytes are wrong, for warnings of queries that overlap it.</summary>
    IReadOnlyList<DamagedBlock> Damaged { get; }

    /// <summary>Cuts what the head holds beyond its range, or all of it when it is idle, and drops log that blocks cover. Does not touch object storage.</summary>
    /// <exception cref="IOException">A step failed; what was there before still serves, and the next call tries again.</exception>
    void Maintain(CancellationToken cancellation);

    /// <summary>Cuts all that the head holds into blocks.</summary>
    /// <exception cref="IOException">As <see cref="Maintain"/>.</exception>
    void CutAll(CancellationToken cancellation);

    /// <summary>Cuts about what the head holds now into blocks, not what is written meanwhile, and does nothing that would help it later: for a shard that is about to be sealed, which takes the rest.</summary>
    /// <exception cref="IOException">As <see cref="Maintain"/>.</exception>
    void CutBeforeSeal(CancellationToken cancellation) => CutAll(cancellation);

    /// <summary>Publishes, compacts, retires and removes blocks as far as due.</summary>
    /// <exception cref="IOException">Object storage, or the disk, failed; the next call tries again.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    Task ArchiveAsync(CancellationToken cancellation);

    /// <summary>Deletes what there is of matching series in a range.</summary>
    /// <exception cref="IOException">It could not be written down; nothing is deleted.</exception>
    Task DeleteAsync(IReadOnlyList<IReadOnlyList<Matcher>> selectors, TimeRange range, CancellationToken cancellation);

    /// <summary>Rewrites the blocks of which something was deleted, without it.</summary>
    /// <exception cref="IOException">Object storage, or the disk, failed.</exception>
    Task CleanDeletedAsync(CancellationToken cancellation);

    /// <summary>Makes a block live that lies in object storage.</summary>
    /// <exception cref="IOException">There is none of this shard's, or object storage failed.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    Task AdoptAsync(Ulid block, CancellationToken cancellation);

    /// <summary>Publishes the blocks that wait for it, and does nothing else.</summary>
    /// <exception cref="IOException">Object storage, or the disk, failed.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    Task PublishAsync(CancellationToken cancellation);

    /// <summary>Rewrites the blocks that are shared with other shards, so that this one has its own part of each.</summary>
    /// <exception cref="IOException">Object storage, or the disk, failed; or a block can't be read.</exception>
    Task NarrowAsync(CancellationToken cancellation);

    /// <summary>Puts all of the head into blocks, publishes them, and says in the manifest that no more will come: from then on nothing of it changes. Nothing may be appended from the call on.</summary>
    /// <exception cref="IOException">It failed, or may have; the store is to be opened again, which finds out.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    Task SealAsync(SealRequest request, CancellationToken cancellation);

    /// <summary>Copies the live blocks into a folder that exists, each under its name.</summary>
    /// <exception cref="IOException">A block can't be read, or the folder can't be written.</exception>
    Task SnapshotAsync(string folder, CancellationToken cancellation);
}

/// <summary>Opens the store of a shard's folder, replaying its log. Called on a thread of its own, which it may block.</summary>
/// <exception cref="IOException">The folder can't be read or written, or the log not be taken over.</exception>
/// <exception cref="InvalidDataException">The log is damaged before its end.</exception>
/// <exception cref="EpochLostException">Another owner has the shard.</exception>
internal delegate Task<IShardStore> ShardStoreOpener(ShardId shard, string folder, ReplayMeter meter, CancellationToken cancellation);

/// <summary>How far the replay of one log is. Written by one thread, read by any.</summary>
internal sealed class ReplayMeter
{
    private long totalBytes;
    private long replayedBytes;

    /// <summary>Bytes to replay.</summary>
    public long TotalBytes => Volatile.Read(ref totalBytes);

    /// <summary>Bytes replayed.</summary>
    public long ReplayedBytes => Volatile.Read(ref replayedBytes);

    /// <summary>Says how much there is to replay.</summary>
    public void Begin(long bytes)
    {
        Volatile.Write(ref replayedBytes, 0);
        Volatile.Write(ref totalBytes, bytes);
    }

    /// <summary>Says how much is done.</summary>
    public void Reach(long bytes) => Volatile.Write(ref replayedBytes, bytes);
}
