using Metrics.Cluster;
using Metrics.Model;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Metrics.Grains;

/// <summary>Carries what other silos ask to this silo's node, off Orleans's threads.</summary>
[Reentrant]
internal sealed class SiloService(GrainId id, Silo host, ILoggerFactory loggers, SiloContext silo, SiloDirectory directory, SiloRules rules, SiloWatch watch, TenantClosings closings, SiloCounts counts, SiloQueries queries, ShardMoves moves)
    : GrainService(id, host, loggers), ISiloService
{
    private readonly MessageLanes lanes = new((message, cancellation) => silo.Node!.AnswerLogAsync(message, cancellation), silo.Options.LogLanes);

    /// <inheritdoc/>
    public async Task<Payload> AnswerLogAsync(Payload message) =>
        silo.Node is null ? throw new InvalidOperationException("this silo holds no logs") : new Payload(await lanes.AnswerAsync(message.Bytes, StoppedCancellationTokenSource.Token));

    /// <inheritdoc/>
    public Task HearAsync(SiloAddress from, Payload report)
    {
        directory.Hear(from, SiloReport.Read(report.Bytes.Span));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A shard that was handed over from here a moment ago and comes back waits for its old grain. Otherwise the two wait for each other: Orleans ends a migration when the grain at its end is active or
    /// gone, and takes the old one here, which is neither while it waits for that, for the end of the next. Both would be given up after thirty seconds, in which nobody could write.
    /// </remarks>
    public Task CatchUpAsync(string shard)
    {
        var comes = ShardKey.Parse(shard);
        return Task.Run(
            async () =>
            {
                await moves.LeftAsync(comes).WaitAsync(StoppedCancellationTokenSource.Token);
                await silo.Node!.CatchUpAsync(comes, StoppedCancellationTokenSource.Token);
            },
            StoppedCancellationTokenSource.Token);
    }

    /// <inheritdoc/>
    public Task<Payload> ShowRulesAsync(string tenant, string filter) =>
        Task.Run(async () => new Payload(await rules.Served.ShowAsync(TenantId.Parse(tenant), filter, StoppedCancellationTokenSource.Token)), StoppedCancellationTokenSource.Token);

    /// <inheritdoc/>
    public Task ReloadRulesAsync(string tenant) =>
        Task.Run(() => rules.Served.ReloadAsync(TenantId.Parse(tenant), StoppedCancellationTokenSource.Token).AsTask(), StoppedCancellationTokenSource.Token);

    /// <inheritdoc/>
    public Task DrainAsync() => watch.DrainAsync(StoppedCancellationTokenSource.Token);

    /// <inheritdoc/>
    public Task<string?> FlushAsync() => silo.Node is { } node ? Task.Run(() => FlushAsync(node, StoppedCancellationTokenSource.Token), StoppedCancellationTokenSource.Token) : Task.FromResult<string?>(null);

    /// <inheritdoc/>
    public Task<Payload> CountsAsync(string[] tenants) => Task.FromResult(new Payload(TenantCounts.ToBytes(counts.Of(Array.ConvertAll(tenants, TenantId.Parse)))));

    /// <inheritdoc/>
    public Task<Payload> QueriesAsync(string tenant) => Task.FromResult(new Payload(ListedQuery.ToBytes(queries.Served?.Of(TenantId.ParseJoined(tenant)) ?? [])));

    /// <inheritdoc/>
    /// <remarks>What hangs on the query's end runs off Orleans's threads.</remarks>
    public Task<bool> StopQueryAsync(string tenant, string id) => Task.Run(() => queries.Served?.Cancel(TenantId.ParseJoined(tenant), id) == true);

    /// <inheritdoc/>
    public Task<HoldingReply> ReclaimSeriesAsync(string tenant, long since) => Task.FromResult(new HoldingReply(silo.Node?.ReclaimSeries(TenantId.Parse(tenant), since) ?? default));

    /// <inheritdoc/>
    public Task CloseTenantAsync(string tenant)
    {
        var closed = TenantId.Parse(tenant);
        closings.OnClosed(closed);
        return silo.Node is { } node ? Task.Run(() => node.CloseTenantAsync(closed).AsTask(), StoppedCancellationTokenSource.Token) : Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task RemoveTenantAsync(string tenant) =>
        silo.Node is { } node ? Task.Run(() => node.RemoveTenantAsync(TenantId.Parse(tenant), StoppedCancellationTokenSource.Token).AsTask(), StoppedCancellationTokenSource.Token) : Task.CompletedTask;

    /// <summary>A few at a time, as a silo that leaves hands over its shards.</summary>
    private async Task<string?> FlushAsync(IShardNode node, CancellationToken cancellation)
    {
        string? problem = null;
        var options = new ParallelOptions { MaxDegreeOfParallelism = silo.Options.DrainConcurrency, CancellationToken = cancellation };
        await Parallel.ForEachAsync(node.Shards.Select(static s => s.Shard), options, async (shard, stop) =>
        {
            try
            {
                await (node.Find(shard)?.FlushAsync(stop) ?? default);
            }
            catch (ShardUnavailableException e)
            {
                // One that was handed over, split or merged meanwhile is cut where it went.
                problem = node.Find(shard) is null ? problem : e.Message;
            }
        });
        return problem;
    }
}
