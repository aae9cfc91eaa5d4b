using Metrics.Cluster;
using Metrics.Gateway.FrontEnd;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>Asks the shards of a tenant for labels, and has what they answer counted as the memory of a query, as soon as each has. It is given back with the lease, which the caller hands on to its answer.</summary>
internal sealed class LabelLookup(ICluster cluster, PlainReads reads, QueryMemory memory)
{
    /// <summary>The names or values that each shard has, in a turn of the tenant's queries.</summary>
    /// <param name="request">Who asks.</param>
    /// <param name="what">What it is called among the active queries.</param>
    /// <param name="query">Of which series.</param>
    /// <param name="ask">Asks one shard.</param>
    /// <param name="missing">Notes shards that don't answer; null when all must.</param>
    /// <exception cref="ApiException">It is blocked, was stopped, took too long, or too many wait.</exception>
    /// <exception cref="QueryException">There is no memory for it, or the tenant's queries may not have so much.</exception>
    public ValueTask<(IReadOnlyList<string>[] Parts, MemoryLease Lease)> AskAsync(
        ApiRequest request, string what, LabelQuery query, Func<IShard, CancellationToken, ValueTask<IReadOnlyList<string>>> ask, PartialWarnings? missing = null) =>
        reads.RunAsync(request, what, query.Selectors, query.Range, stop => ReadAsync(request.Tenant, ask, missing, stop));

    /// <summary>The label sets that each shard has, no more of them than a query may find series.</summary>
    public ValueTask<(IReadOnlyList<Labels>[] Parts, MemoryLease Lease)> AskAsync(
        ApiRequest request, string what, LabelQuery query, Func<IShard, CancellationToken, ValueTask<IReadOnlyList<Labels>>> ask, PartialWarnings? missing = null) =>
        reads.RunAsync(request, what, query.Selectors, query.Range, stop => ReadAsync(request.Tenant, ask, MemoryLease.BytesOf, missing, parts => reads.BoundsOf(request.Tenant).CheckSeries(parts.Sum(static p => (long)p.Count)), stop));

    /// <summary>The names or values that each shard has, for whoever has a turn.</summary>
    public ValueTask<(IReadOnlyList<string>[] Parts, MemoryLease Lease)> ReadAsync(TenantId tenant, Func<IShard, CancellationToken, ValueTask<IReadOnlyList<string>>> ask, PartialWarnings? missing, CancellationToken stop) =>
        ReadAsync(tenant, ask, MemoryLease.BytesOf, missing, static _ => { }, stop);

    private async ValueTask<(IReadOnlyList<T>[] Parts, MemoryLease Lease)> ReadAsync<T>(
        TenantId tenant, Func<IShard, CancellationToken, ValueTask<IReadOnlyList<T>>> ask, Func<T, long> bytesOf, PartialWarnings? missing, Action<IReadOnlyList<T>[]> check, CancellationToken stop)
    {
        var lease = memory.Open(reads.BoundsOf(tenant));
        try
        {
            var parts = await cluster.AskAsync(tenant, async shards => await Task.WhenAll(shards.Select(CountedAsync)), stop);
            check(parts);
            return (parts, lease);
        }
        catch
        {
            lease.Dispose();
            throw;
        }

        async Task<IReadOnlyList<T>> CountedAsync(IShard shard)
        {
            var part = missing is null ? await ask(shard, stop) : await missing.OrNothingAsync(() => ask(shard, stop));
            var bytes = 0L;
            foreach (var item in part)
            {
                bytes += bytesOf(item);
            }

            lease.Take(bytes);
            return part;
        }
    }
}
