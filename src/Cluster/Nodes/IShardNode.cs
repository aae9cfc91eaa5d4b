using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What one silo holds of the cluster, whatever carries its calls: its replicas of logs, and the shards that it owns. Thread-safe.</summary>
/// <remarks>
/// Nothing here decides who should own a shard: the host does, and may be wrong. Opening a shard takes it from whoever had it, by the manifest's epoch; the one before then finds out, at the latest when it
/// next acknowledges or publishes, and closes it (<see cref="ClosedAsync"/>). So two hosts that both believe they should own a shard cost each other time, and no data.
/// </remarks>
public interface IShardNode : IAsyncDisposable
{
    /// <summary>This node's name: drawn when the data directory was made, and kept there.</summary>
    NodeId Id { get; }

    /// <summary>The shards that are open here, or being opened; a snapshot.</summary>
    IReadOnlyList<ShardStatus> Shards { get; }

    /// <summary>The shard maps of tenants.</summary>
    TenantShardMaps Maps { get; }

    /// <summary>As <see cref="ICluster.LimitSeries"/>, for the shards of this node.</summary>
    void LimitSeries(Func<TenantId, SeriesLimits> limits);

    /// <summary>As <see cref="ICluster.SamplesAppended"/>, for the shards of this node.</summary>
    long SamplesAppended(TenantId tenant);

    /// <summary>From now on shares the places of each tenant's series with other nodes; until then each node counts its own. Before any shard is open.</summary>
    void ShareSeries(ISeriesLedger ledger);

    /// <summary>Takes a tenant's places back that this node does not use, and takes no grant from before <paramref name="since"/> any more; says what it has.</summary>
    SeriesHolding ReclaimSeries(TenantId tenant, long since);

    /// <summary>The shard when it is open here, or null.</summary>
    IShard? Find(ShardId shard);

    /// <summary>For how long nobody has written to the shard that is open here, or asked it for data; zero when it is not open.</summary>
    TimeSpan IdleFor(ShardId shard);

    /// <summary>Takes a shard over: fences the owner before, recovers its log, replays what blocks do not hold. Completes when it takes writes; one that is open already is given at once.</summary>
    /// <remarks>Takes from milliseconds to as long as <see cref="ReplicationOptions.OpenTimeout"/>, for a log of one replica <see cref="ReplicationOptions.Grace"/>, and the replay; <see cref="CloseShardAsync"/> ends it. Calls for one shard share one opening; cancelling one caller's wait does not end it.</remarks>
    /// <exception cref="ShardUnavailableException">Too few replicas or no object storage can be reached, a later owner was faster, or the node is closing; nothing is open here, and it may be tried again.</exception>
    ValueTask<IShard> OpenShardAsync(ShardId shard, CancellationToken cancellation);

    /// <summary>Hands a shard over: takes no more writes, waits until all that was taken in is acknowledged or cannot be, and closes it. One that is not open is no error.</summary>
    ValueTask CloseShardAsync(ShardId shard);

    /// <summary>This node is about to leave: closes all shards that are open here or being opened, side by side, as <see cref="CloseShardAsync"/> does, and opens none any more. Its replicas go on answering. May be repeated.</summary>
    ValueTask CloseShardsAsync();

    /// <summary>Closes a tenant's shards that are open here, as <see cref="CloseShardAsync"/> does.</summary>
    ValueTask CloseTenantAsync(TenantId tenant);

    /// <summary>Removes what lies here of a tenant whose manifests are fenced (<see cref="TenantErasure"/>): its replicas, and what its shards kept beside them. May be repeated.</summary>
    /// <exception cref="IOException">The disk or object storage failed; to be called again.</exception>
    ValueTask RemoveTenantAsync(TenantId tenant, CancellationToken cancellation);

    /// <summary>Prepares a shard to be split or merged: opens it if need be, puts its head into blocks while it takes writes, then takes none any more, publishes the rest and seals the manifest. It goes on answering what it is
    /// asked, until <see cref="ReleaseShardAsync"/>; one that is not released looks by itself after half a minute what was decided.</summary>
    /// <exception cref="ShardUnavailableException">It can't be sealed now; it goes on as before, or is opened again.</exception>
    ValueTask SealShardAsync(ShardId shard, SealRequest request, CancellationToken cancellation);

    /// <summary>A change is decided: a shard that was sealed for it takes writes again, or closes and says that it has moved. One that is not open, or not sealed, is no error.</summary>
    ValueTask ReleaseShardAsync(ShardId shard, CancellationToken cancellation);

    /// <summary>Completes when the shard that is open here is closed for whatever reason: handed over, or lost to another owner. At once when it is not open.</summary>
    Task ClosedAsync(ShardId shard);

    /// <summary>Prepares a move to this node: copies the shard's log while its owner goes on, so that <see cref="OpenShardAsync"/> finds little left to copy.</summary>
    /// <exception cref="ShardUnavailableException">It can't be copied now; taking over does not need it.</exception>
    ValueTask CatchUpAsync(ShardId shard, CancellationToken cancellation);

    /// <summary>The nodes that hold the shard's log, those of the newest ensemble first: where it opens fastest. None when it was never open.</summary>
    /// <exception cref="ShardUnavailableException">Object storage can't say.</exception>
    ValueTask<IReadOnlyList<NodeId>> HoldersAsync(ShardId shard, CancellationToken cancellation);

    /// <summary>Whether a shard that is open nowhere should be opened for its blocks' sake: for retention, merges and the like. From its manifest alone; false for one that was never open.</summary>
    /// <exception cref="ShardUnavailableException">Object storage can't say.</exception>
    ValueTask<bool> IsWorkDueAsync(ShardId shard, CancellationToken cancellation);

    /// <summary>Answers a message that another node's <see cref="ILogTransport"/> sent to this one.</summary>
    /// <exception cref="InvalidDataException">The bytes are no message.</exception>
    ValueTask<ReadOnlyMemory<byte>> AnswerLogAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation);

    /// <summary>Answers a call that a <see cref="RemoteShard"/> sent through its <see cref="IShardChannel"/>. Calls for one shard may overlap in any number; none waits for another.</summary>
    /// <returns>The answer; refusals, failures and a shard that is not open here are answers too.</returns>
    ValueTask<ReadOnlyMemory<byte>> AnswerShardAsync(ShardId shard, ReadOnlyMemory<byte> call, CancellationToken cancellation);

    /// <summary>The host knows that a node is gone: its replicas are replaced without waiting for its silence.</summary>
    void OnNodeLost(NodeId node);
}
