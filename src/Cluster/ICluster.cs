using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The seam between the gateway and whatever holds the shards: this process, or silos.</summary>
public interface ICluster : IAsyncDisposable
{
    /// <summary>How far start-up is; the gateway answers 503 on <c>/-/ready</c> until it is done.</summary>
    ReplayProgress Progress { get; }

    /// <summary>The long-term storage that the cluster's blocks lie in, for what else must outlive a process; null when there is none. The cluster's to dispose.</summary>
    IObjectStore? Objects => null;

    /// <summary>The tenants open here, for status pages and self metrics; a snapshot.</summary>
    IReadOnlyList<ITenant> Tenants => [];

    /// <summary>All tenants that there are, ascending, open here or not.</summary>
    /// <exception cref="IOException">Object storage, which knows them, can't be asked.</exception>
    /// <exception cref="ShardUnavailableException">As above.</exception>
    ValueTask<IReadOnlyList<TenantId>> ListTenantsAsync(CancellationToken cancellation) => ValueTask.FromResult<IReadOnlyList<TenantId>>([.. Tenants.Select(static t => t.Id).Order()]);

    /// <summary>Cuts the heads of all shards of all tenants that are open, in whatever process, into blocks and publishes them; completes when that is done. Shards that are closed have no heads.</summary>
    /// <exception cref="ShardUnavailableException">Object storage or a disk failed; the samples are safe, and it goes on in the background.</exception>
    /// <exception cref="IOException">A process could not be asked.</exception>
    async ValueTask FlushAsync(CancellationToken cancellation)
    {
        foreach (var tenant in Tenants)
        {
            await tenant.FlushAsync(cancellation);
        }
    }

    /// <summary>From now on tells the other processes that take requests what tenants have asked of this one.</summary>
    void ServeCounts(TenantCounting counting)
    {
    }

    /// <summary>What tenants have asked of the other processes that take requests, added up, in the order given.</summary>
    /// <exception cref="IOException">One of them did not answer.</exception>
    ValueTask<IReadOnlyList<TenantCounts>> CountsElsewhereAsync(IReadOnlyList<TenantId> tenants, CancellationToken cancellation) => ValueTask.FromResult<IReadOnlyList<TenantCounts>>(new TenantCounts[tenants.Count]);

    /// <summary>Tells this process from the others that take requests, for as long as it lives: a few letters and digits; empty where there are no others.</summary>
    string ProcessName => "";

    /// <summary>From now on shows the other processes the queries that wait here, and has them stopped by those.</summary>
    void ServeQueries(IListedQueries served)
    {
    }

    /// <summary>A tenant's queries that wait in the other processes that take requests. One that does not answer is left out, and named.</summary>
    ValueTask<QueriesElsewhere> QueriesElsewhereAsync(TenantId tenant, CancellationToken cancellation) => ValueTask.FromResult(QueriesElsewhere.None);

    /// <summary>Stops a query that waits in the process of a name; false when the tenant has none of that id there, or there is no such process.</summary>
    /// <exception cref="IOException">The process did not answer.</exception>
    ValueTask<bool> StopElsewhereAsync(TenantId tenant, string process, string id, CancellationToken cancellation) => ValueTask.FromResult(false);

    /// <summary>The processes that share rules between them; null when this one evaluates all.</summary>
    IRuleCluster? Rules => null;

    /// <summary>Who elects the replicas of pairs of senders for all processes that take requests; null when this one does it for itself.</summary>
    IReplicaElector? Elector => null;

    /// <summary>This process's share of a limit on what a tenant may send a second, 0 to 1: of all processes that take its requests, by what each is sent.</summary>
    /// <param name="tenant">Whose.</param>
    /// <param name="demand">What it sends a second to this process, refused or not; the others hear of it.</param>
    double ShareOf(TenantId tenant, double demand) => 1;

    /// <summary>The hands on a cluster of silos; null for the single process, which has none to show or move.</summary>
    IClusterControl? Control => null;

    /// <summary>Samples of a tenant that shards of this process have appended since its start; it only grows, whatever becomes of the shards.</summary>
    long SamplesAppended(TenantId tenant) => 0;

    /// <summary>From now on holds each tenant's new series against these bounds. They are asked for with every new series, so that a change holds at once; by any thread.</summary>
    void LimitSeries(Func<TenantId, SeriesLimits> limits)
    {
    }

    /// <summary>Makes it certain that a tenant will be deleted, with all its data: what was begun is finished, if need be by the next start. Nothing is deleted yet.</summary>
    /// <exception cref="ShardUnavailableException">It could not be written down.</exception>
    /// <exception cref="NotSupportedException">Not in this kind of cluster.</exception>
    ValueTask MarkForDeletionAsync(TenantId tenant, CancellationToken cancellation) => throw new NotSupportedException("tenants can't be deleted in this kind of cluster");

    /// <summary>True from the mark on until the deletion is done.</summary>
    ValueTask<bool> IsMarkedForDeletionAsync(TenantId tenant, CancellationToken cancellation) => ValueTask.FromResult(false);

    /// <summary>Deletes a tenant that is marked; completes when nothing of it is left. A tenant of the same name may be made afterwards.</summary>
    /// <exception cref="ObjectStoreException">Object storage failed; the mark stays.</exception>
    /// <exception cref="IOException">The disk failed; the mark stays.</exception>
    ValueTask DeleteMarkedAsync(TenantId tenant, CancellationToken cancellation) => throw new NotSupportedException("tenants can't be deleted in this kind of cluster");

    /// <summary>Splits a shard in the middle of its hash range; completes when its two children serve.</summary>
    /// <exception cref="ArgumentException">There is no such shard, another change of its tenant is under way, or it can't be split further.</exception>
    /// <exception cref="ShardUnavailableException">It can't be done now; all is as it was, or will be once somebody asks for the shard.</exception>
    /// <exception cref="NotSupportedException">Not in this kind of cluster.</exception>
    ValueTask SplitAsync(ShardId shard, CancellationToken cancellation) => throw new NotSupportedException("shards can't be split in this kind of cluster");

    /// <summary>Merges a shard with the one that has the other half of the next larger hash range; completes when the merged one serves. Otherwise as <see cref="SplitAsync"/>.</summary>
    /// <exception cref="ArgumentException">As there; or the other half is not one shard.</exception>
    /// <exception cref="ShardUnavailableException">As there.</exception>
    /// <exception cref="NotSupportedException">As there.</exception>
    ValueTask MergeAsync(ShardId shard, CancellationToken cancellation) => throw new NotSupportedException("shards can't be merged in this kind of cluster");

    /// <summary>What became of splits and merges that this process ran.</summary>
    ReshardingCounts Resharding => default;

    /// <summary>The splits and merges that are under way, as far as this process knows.</summary>
    IReadOnlyList<ShardChangeStatus> ShardChanges => [];

    /// <summary>The tenant, made when it does not exist yet; for writes.</summary>
    ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation);

    /// <summary>The tenant, or null when nobody ever wrote to it; for reads, which must not make tenants.</summary>
    ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation);

    /// <summary>The same for one look at it, after which this process does not keep it open. What is metadata of others may be missing.</summary>
    ValueTask<ITenant?> PeekTenantAsync(TenantId tenant, CancellationToken cancellation) => FindTenantAsync(tenant, cancellation);
}

/// <summary>Replay of shard logs after a start.</summary>
/// <param name="IsReady">True when writes and queries are served.</param>
/// <param name="ReplayedBytes">Log bytes replayed so far.</param>
/// <param name="TotalBytes">Log bytes to replay, as far as known.</param>
/// <param name="ReplayedShards">Shards that are done.</param>
/// <param name="TotalShards">Shards to replay.</param>
public readonly record struct ReplayProgress(bool IsReady, long ReplayedBytes, long TotalBytes, int ReplayedShards, int TotalShards);

/// <summary>One tenant: its shard map and what belongs to no shard.</summary>
public interface ITenant
{
    /// <summary>Which tenant.</summary>
    TenantId Id { get; }

    /// <summary>The shards, ascending by range; together they cover the hash space once.</summary>
    IReadOnlyList<IShard> Shards { get; }

    /// <summary>The shards in force, after one of those given has said that it is not the owner any more: waits a moment for a change that is under way. Those given, when nothing has changed yet.</summary>
    /// <exception cref="ShardUnavailableException">Nobody can say now.</exception>
    ValueTask<IReadOnlyList<IShard>> RefreshAsync(IReadOnlyList<IShard> seen, CancellationToken cancellation) => ValueTask.FromResult(Shards);

    /// <summary>Copies all blocks, and the heads as blocks unless they are to be skipped, into a folder of its own; gives the folder's name below <c>snapshots</c> of the tenant's folder.</summary>
    /// <exception cref="ShardUnavailableException">A block can't be read, or the folder can't be written.</exception>
    ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation);

    /// <summary>Metadata of metrics as senders declared it.</summary>
    IMetricMetadata Metadata { get; }
}

/// <summary>One shard as its callers see it, wherever its owner lives.</summary>
public interface IShard : IQueryLeaf
{
    /// <summary>Which shard.</summary>
    ShardId Id { get; }

    /// <summary>Appends a batch: all its acceptable samples or, when the answer is not <see cref="AppendStatus.Done"/>, none.</summary>
    /// <remarks>Completes when the samples are durable as configured. The batch is the caller's again afterwards. Appending a sample that is already there is no error.</remarks>
    /// <exception cref="ShardUnavailableException">The shard cannot take writes now; the sender retries.</exception>
    ValueTask<AppendResult> AppendAsync(SampleBatch batch, CancellationToken cancellation);

    /// <summary>The label sets of series that satisfy any of the selectors and have samples in the range.</summary>
    ValueTask<IReadOnlyList<Labels>> SeriesAsync(LabelQuery query, CancellationToken cancellation);

    /// <summary>The names of labels on those series (all series when there is no selector), ascending by UTF-8 bytes.</summary>
    ValueTask<IReadOnlyList<string>> LabelNamesAsync(LabelQuery query, CancellationToken cancellation);

    /// <summary>The values of one label on those series, ascending by UTF-8 bytes.</summary>
    ValueTask<IReadOnlyList<string>> LabelValuesAsync(string name, LabelQuery query, CancellationToken cancellation);

    /// <summary>The raw samples of series that satisfy all matchers, ascending by labels. Each series lasts until the next is asked for.</summary>
    /// <exception cref="ShardUnavailableException">The shard is replaying or closed.</exception>
    IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation);

    /// <summary>The exemplars of series that satisfy any of the selectors, in the range: by labels, then by time.</summary>
    /// <exception cref="ShardUnavailableException">The shard is replaying or closed.</exception>
    ValueTask<IReadOnlyList<SeriesExemplars>> ExemplarsAsync(LabelQuery query, CancellationToken cancellation);

    /// <summary>Counts for status pages and self metrics.</summary>
    ShardStatistics Statistics { get; }

    /// <summary>The counts as the shard's owner has them now, wherever it is; <see cref="Statistics"/> may be older, or leave out what another process counts.</summary>
    /// <exception cref="ShardUnavailableException">The owner can't be asked.</exception>
    ValueTask<ShardStatistics> StatisticsAsync(CancellationToken cancellation) => ValueTask.FromResult(Statistics);

    /// <summary>The same, but a shard that is open nowhere stays so: it has nothing but blocks, which are counted from its manifest.</summary>
    /// <exception cref="ShardUnavailableException">The owner, or object storage, can't be asked.</exception>
    ValueTask<ShardStatistics> PeekStatisticsAsync(CancellationToken cancellation) => StatisticsAsync(cancellation);

    /// <summary>Up to when the past is settled, and whether it was changed all the same; for whoever keeps answers. A shard that can't tell says <see cref="ShardHistory.Unknown"/>.</summary>
    /// <exception cref="ShardUnavailableException">The shard is replaying or closed.</exception>
    ValueTask<ShardHistory> HistoryAsync(CancellationToken cancellation) => ValueTask.FromResult(ShardHistory.Unknown);

    /// <summary>How many series carry which labels. A shard that can't tell says <see cref="ShardCardinality.Empty"/>.</summary>
    /// <exception cref="ShardUnavailableException">The shard is replaying or closed.</exception>
    ValueTask<ShardCardinality> CardinalityAsync(CardinalityQuery query, CancellationToken cancellation) => ValueTask.FromResult(ShardCardinality.Empty);

    /// <summary>Cuts all of the head into blocks, publishes and compacts them; completes when that is done.</summary>
    /// <exception cref="ShardUnavailableException">Object storage or the disk failed; the samples are safe, and it goes on in the background.</exception>
    ValueTask FlushAsync(CancellationToken cancellation);

    /// <summary>Deletes what there is of series that satisfy any of the selectors, in the range. Samples sent later are not touched.</summary>
    /// <exception cref="ShardUnavailableException">It could not be written down; nothing was deleted.</exception>
    ValueTask DeleteAsync(LabelQuery query, CancellationToken cancellation);

    /// <summary>Makes a block live whose files somebody has put into object storage, for this shard's range: nothing when it is already.</summary>
    /// <exception cref="ShardUnavailableException">There is no such block, or object storage failed; to be called again.</exception>
    /// <exception cref="NotSupportedException">Not for this kind of shard.</exception>
    ValueTask AdoptAsync(Ulid block, CancellationToken cancellation) => throw new NotSupportedException("blocks can't be brought into this kind of shard");

    /// <summary>Rewrites blocks without what was deleted of them.</summary>
    /// <exception cref="ShardUnavailableException">Object storage or the disk failed; to be called again.</exception>
    ValueTask CleanDeletedAsync(CancellationToken cancellation);

    /// <summary>Copies the shard's blocks into a folder of this machine, each under its name; the head too, as a block, unless it is to be skipped.</summary>
    /// <exception cref="ShardUnavailableException">A block can't be read, or the folder can't be written.</exception>
    ValueTask SnapshotAsync(string folder, bool skipHead, CancellationToken cancellation);
}

/// <summary>A series with its exemplars.</summary>
/// <param name="Series">Its labels.</param>
/// <param name="Exemplars">At least one, ascending in time.</param>
public sealed record SeriesExemplars(Labels Series, IReadOnlyList<Exemplar> Exemplars);

/// <summary>A series with its samples.</summary>
/// <param name="Labels">Its labels.</param>
/// <param name="Samples">Its samples, at least one, ascending in time; the reader's, and used again for the next series.</param>
public readonly record struct RawSeries(Labels Labels, SampleBuffer Samples);

/// <summary>What the label endpoints ask.</summary>
/// <param name="Selectors">Each a list of matchers; a series must satisfy all matchers of at least one. None means every series.</param>
/// <param name="Range">The time range.</param>
/// <param name="Limit">The most answers wanted, 0 for all.</param>
public sealed record LabelQuery(IReadOnlyList<IReadOnlyList<Matcher>> Selectors, TimeRange Range, int Limit);

/// <summary>What became of a batch.</summary>
public enum AppendStatus
{
    /// <summary>The samples are durable, save those listed as rejected.</summary>
    Done,

    /// <summary>The batch names series by references of another incarnation, or of series since dropped; nothing was taken. Send labels.</summary>
    StaleReferences,

    /// <summary>The shard no longer owns the hash range of some series; nothing was taken. Fetch the shard map.</summary>
    NotOwner,
}

/// <summary>The answer to an append.</summary>
public sealed class AppendResult
{
    /// <summary>What became of the batch.</summary>
    public required AppendStatus Status { get; init; }

    /// <summary>The incarnation to which <see cref="NewSeriesRefs"/> belong.</summary>
    public ulong Incarnation { get; init; }

    /// <summary>Stands in <see cref="NewSeriesRefs"/> for a carried series that was not made, because all its samples were rejected.</summary>
    public const uint NoRef = uint.MaxValue;

    /// <summary>References of the series that the batch carried, by their index in it; <see cref="NoRef"/> where there is none.</summary>
    public uint[] NewSeriesRefs { get; init; } = [];

    /// <summary>Series that the batch carried and the shard did not have. Not sent over the wire: for the shard itself.</summary>
    internal int SeriesMade { get; init; }

    /// <summary>Samples taken, already known ones and native histograms included.</summary>
    public int Accepted { get; init; }

    /// <summary>Of those, the native histograms.</summary>
    public int AcceptedHistograms { get; init; }

    /// <summary>Exemplars kept, already known ones included.</summary>
    public int AcceptedExemplars { get; init; }

    /// <summary>Samples refused for good: why, how many, and the first example.</summary>
    public IReadOnlyList<Rejection> Rejections { get; init; } = [];
}

/// <summary>Samples refused for one reason.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Count">How many.</param>
/// <param name="Example">The first of them, for the error message: labels, time and what was wrong.</param>
public readonly record struct Rejection(RejectReason Reason, int Count, string Example)
{
    /// <summary>How many samples: none where it is metadata.</summary>
    public int Samples => Reason == RejectReason.MetadataTooLong ? 0 : Count;
}

/// <summary>Counts of one shard.</summary>
/// <param name="HeadSeries">Series in the head.</param>
/// <param name="HeadChunks">Chunks in the head.</param>
/// <param name="SamplesAppended">Samples taken since it was opened.</param>
/// <param name="LogBytes">Bytes of its log.</param>
/// <param name="Blocks">Live blocks.</param>
/// <param name="HeadMinTimeMs">The oldest sample of the head, Unix milliseconds.</param>
/// <param name="HeadMaxTimeMs">The newest sample of the head, Unix milliseconds.</param>
/// <param name="PendingBlocks">Blocks that wait for their upload.</param>
/// <param name="DamagedBlocks">Blocks set aside because their bytes are wrong.</param>
/// <param name="HeadMemoryBytes">Memory of the head.</param>
/// <param name="HeadDiskBytes">Chunks of the head that were moved to disk, bytes.</param>
/// <param name="BlockBytes">Bytes of the live blocks as they are stored; of one that is shared with other shards since a split, its part of the hashes.</param>
/// <param name="NewestSampleMs">The newest sample of head and blocks, Unix milliseconds; 0 when there is none.</param>
public readonly record struct ShardStatistics(long HeadSeries, long HeadChunks, long SamplesAppended, long LogBytes, int Blocks, long HeadMinTimeMs, long HeadMaxTimeMs, int PendingBlocks = 0, int DamagedBlocks = 0, long HeadMemoryBytes = 0, long HeadDiskBytes = 0, long BlockBytes = 0, long NewestSampleMs = 0);

/// <summary>What a shard says about its past.</summary>
/// <remarks>
/// An answer that needs nothing younger than <paramref name="SettledBeforeMs"/>, computed after this was asked, holds for as long as incarnation and changes are the same. Samples that come later than
/// the out-of-order window, deletions, retention and downsampled blocks are changes; blocks cut, merged or moved are none.
/// </remarks>
/// <param name="Incarnation">Names one opening of the shard; 0 when nothing is known.</param>
/// <param name="Changes">Counts changes of the settled past in this incarnation.</param>
/// <param name="SettledBeforeMs">Unix milliseconds, exclusive: older samples don't come or go without being counted.</param>
public readonly record struct ShardHistory(ulong Incarnation, long Changes, long SettledBeforeMs)
{
    /// <summary>What a shard says that doesn't keep count: nothing is settled.</summary>
    public static ShardHistory Unknown => new(0, 0, long.MinValue);
}

/// <summary>A shard that cannot serve now: replaying, out of disk, losing its owner. HTTP 503.</summary>
public sealed class ShardUnavailableException(ShardId shard, string reason, Exception? cause = null) : Exception($"shard {shard} is unavailable: {reason}", cause)
{
    /// <summary>Which shard.</summary>
    public ShardId Shard { get; } = shard;

    /// <summary>Why, without which.</summary>
    public string Reason { get; } = reason;

    /// <summary>True when the shard is no more, or about to be: others own its range, or will in a moment. <see cref="ITenant.RefreshAsync"/> gives them, and the question is theirs.</summary>
    public bool IsMoved { get; private init; }

    /// <summary>A shard that is split, merged, or about to be.</summary>
    public static ShardUnavailableException Moved(ShardId shard) => new(shard, "it was split or merged, and others own its range") { IsMoved = true };
}

/// <summary>Metadata of a tenant's metrics.</summary>
public interface IMetricMetadata
{
    /// <summary>Notes what a sender declares about a metric family.</summary>
    void Put(string family, MetricMetadata metadata);

    /// <summary>What was declared, by family; a family has several entries when senders disagree.</summary>
    /// <param name="family">Only this family; null for all.</param>
    /// <param name="limit">The most families; 0 or less for all.</param>
    /// <param name="limitPerFamily">The most entries of a family; 0 or less for all.</param>
    IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> Get(string? family, int limit, int limitPerFamily);
}

/// <summary>What a sender says about a metric family.</summary>
/// <param name="Type">counter, gauge, histogram, gaugehistogram, summary, info, stateset or unknown.</param>
/// <param name="Help">The help text.</param>
/// <param name="Unit">The unit, often empty.</param>
public readonly record struct MetricMetadata(string Type, string Help, string Unit);
