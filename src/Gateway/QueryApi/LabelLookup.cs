using Metrics.Cluster;
using Metrics.Gateway.Limits;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>Asks the shards of a tenant for labels, and has what they answer counted as the memory of a query.</summary>
internal sealed class LabelLookup(ICluster cluster, QueryLimits limits, QueryMemory memory)
{
    /// <summary>What each shard answers. Its memory is given back with the lease, which the caller hands on to its answer.</summary>
    /// <param name="request">Who asks.</param>
    /// <param name="ask">Asks one shard.</param>
    /// <exception cref="ApiException">The caller went away.</exception>
    /// <exception cref="QueryException">There is no memory for it, or the tenant's queries may not have so much.</exception>
    public ValueTask<(IReadOnlyList<string>[] Parts, MemoryLease Lease)> AskAsync(ApiRequest request, Func<IShard, ValueTask<IReadOnlyList<string>>> ask) => AskAsync(request, ask, MemoryLease.BytesOf);

    /// <summary>The same for label sets.</summary>
    public ValueTask<(IReadOnlyList<Labels>[] Parts, MemoryLease Lease)> AskAsync(ApiRequest request, Func<IShard, ValueTask<IReadOnlyList<Labels>>> ask) => AskAsync(request, ask, MemoryLease.BytesOf);

    private async ValueTask<(IReadOnlyList<T>[] Parts, MemoryLease Lease)> AskAsync<T>(ApiRequest request, Func<IShard, ValueTask<IReadOnlyList<T>>> ask, Func<T, long> bytesOf)
    {
        var lease = memory.Open(limits.BoundsOf(request.Tenant));
        try
        {
            return (await cluster.AskAsync(request.Tenant, async shards => await Task.WhenAll(shards.Select(CountedAsync)), request.Aborted), lease);
        }
        catch (OperationCanceledException e)
        {
            lease.Dispose();
            throw new ApiException(ApiErrorType.Canceled, "context canceled", e);
        }
        catch
        {
            lease.Dispose();
            throw;
        }

        async Task<IReadOnlyList<T>> CountedAsync(IShard shard)
        {
            var part = await ask(shard);
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
