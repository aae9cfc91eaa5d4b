using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Asks all shards of a tenant, and again with those in force when one of them was split or merged meanwhile, so that whoever waits for the answer notices nothing.</summary>
public static class TenantAsking
{
    /// <summary>How often a question is asked before its asker is told to come again; <see cref="ITenant.RefreshAsync"/> waits in between.</summary>
    public const int TriesMax = 100;

    /// <summary>Asks the shards of a tenant.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="ask">Asks; called again, from the beginning, with other shards when one of them has moved.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ShardUnavailableException">A shard can't answer now.</exception>
    public static async ValueTask<T> AskAsync<T>(this ITenant tenant, Func<IReadOnlyList<IShard>, ValueTask<T>> ask, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            var shards = tenant.Shards;
            try
            {
                return await ask(shards);
            }
            catch (Exception e) when (attempt < TriesMax && IsMove(e))
            {
                await tenant.RefreshAsync(shards, cancellation);
            }
        }
    }

    /// <summary>Asks the shards of a tenant by its name; with none when there is no such tenant. As <see cref="AskAsync{T}(ITenant, Func{IReadOnlyList{IShard}, ValueTask{T}}, CancellationToken)"/>.</summary>
    public static async ValueTask<T> AskAsync<T>(this ICluster cluster, TenantId tenant, Func<IReadOnlyList<IShard>, ValueTask<T>> ask, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await cluster.FindTenantAsync(tenant, cancellation) is not { } found)
            {
                return await ask([]);
            }

            var shards = found.Shards;
            try
            {
                return await ask(shards);
            }
            catch (Exception e) when (attempt < TriesMax && IsMove(e))
            {
                await found.RefreshAsync(shards, cancellation);
            }
        }
    }

    /// <summary>Does something to all shards of a tenant, and to all of them again when one was split meanwhile: what is done to a shard twice is as if it were done once.</summary>
    /// <exception cref="ShardUnavailableException">A shard can't do it now.</exception>
    public static async ValueTask ForEachShardAsync(this ITenant tenant, Func<IShard, ValueTask> act, CancellationToken cancellation) => await tenant.AskAsync(
        async shards =>
        {
            await Task.WhenAll(shards.Select(shard => act(shard).AsTask()));
            return true;
        },
        cancellation);

    /// <summary>Cuts all heads of a tenant into blocks, as <see cref="IShard.FlushAsync"/> does.</summary>
    /// <exception cref="ShardUnavailableException">A shard can't do it now.</exception>
    public static ValueTask FlushAsync(this ITenant tenant, CancellationToken cancellation) => tenant.ForEachShardAsync(shard => shard.FlushAsync(cancellation), cancellation);

    /// <summary>True for what a shard says, through whatever came between, that was split or merged.</summary>
    public static bool IsMove(Exception e) => e is ShardUnavailableException { IsMoved: true } || (e.InnerException is { } inner && IsMove(inner));
}
