using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What a change of a shard map asks of those who own shards, wherever they are.</summary>
public interface IShardOwners
{
    /// <summary>Is told before anything is announced: what must be known here whatever happens is to be written down.</summary>
    /// <exception cref="ShardUnavailableException">It can't be; nothing is begun.</exception>
    ValueTask PrepareAsync(TenantId tenant, ShardMapChange change, CancellationToken cancellation) => ValueTask.CompletedTask;

    /// <summary>Makes a shard's owner put all of it into blocks and stop: from then on it takes no writes and its blocks stay as they are, while it goes on answering. As <see cref="IShardNode.SealShardAsync"/>.</summary>
    /// <exception cref="ShardUnavailableException">It can't now; it goes on as before, or is opened again in a moment.</exception>
    ValueTask SealAsync(ShardId parent, SealRequest request, CancellationToken cancellation);

    /// <summary>The change is decided: the shards that are no more close, those that came open, and those that stay after all take writes again. Failures are theirs to mend: whoever asks for a shard opens it.</summary>
    /// <param name="tenant">Whose.</param>
    /// <param name="map">The map in force.</param>
    /// <param name="change">The change.</param>
    /// <param name="cancellation">Ends it.</param>
    ValueTask AdoptAsync(TenantId tenant, ShardMap map, ShardMapChange change, CancellationToken cancellation);
}

/// <summary>What a shard is sealed for.</summary>
/// <param name="Announced">The version of the map that announced the change.</param>
/// <param name="MustBeNarrow">True when none of its blocks may hold series of others: before a merge, which reads its blocks through a wider range.</param>
/// <param name="OnlyPrepares">True to do what can be done while it takes writes, and not to seal: before several shards are sealed, so that none waits for another's blocks.</param>
public readonly record struct SealRequest(long Announced, bool MustBeNarrow, bool OnlyPrepares = false);
