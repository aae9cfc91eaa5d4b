using System.Buffers;
using System.Globalization;
using Metrics.Cluster;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>status/tsdb</c>: what the heads of a tenant's shards hold, and which labels make it so much; <c>status/tsdb/blocks</c>: its blocks. Shape and bounds are Prometheus's; the numbers are the tenant's over all shards.</summary>
internal sealed class TsdbStatusEndpoint(ApiEndpoint endpoint, ICluster cluster, PlainReads reads)
{
    private const int LimitMax = 10_000;
    private const int LimitDefault = 10;

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Get, "/api/v1/status/tsdb", "status_tsdb", endpoint.Of(AnswerAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/status/tsdb/blocks", "status_tsdb_blocks", endpoint.Of(BlocksAsync)) { Access = RouteAccess.Read },
    ];

    private async ValueTask<ApiAnswer> BlocksAsync(ApiRequest request)
    {
        var shards = await cluster.FindTenantAsync(request.Tenant, request.Aborted) is { } tenant ? tenant.Shards : [];
        IReadOnlyList<BlockMeta> blocks;
        try
        {
            blocks = cluster.Objects is { } store ? await PublishedBlocks.ListAsync(store, shards.Select(static s => s.Id), request.Aborted) : [];
        }
        catch (Exception e) when (e is ObjectStoreException or InvalidDataException)
        {
            throw new ApiException(ApiErrorType.Unavailable, $"blocks can't be listed: {e.Message}", e);
        }

        return ApiAnswer.Small(to =>
        {
            JsonFields.Raw(to, "{\"blocks\":["u8);
            for (var i = 0; i < blocks.Count; i++)
            {
                JsonFields.Raw(to, i == 0 ? ""u8 : ","u8);
                JsonFields.Raw(to, (blocks[i] with { Metrics = null }).ToJson());
            }

            JsonFields.Raw(to, "]}"u8);
        });
    }

    private async ValueTask<ApiAnswer> AnswerAsync(ApiRequest request)
    {
        var limit = Limit(request.Parameters["limit"]);
        var (heads, found) = await reads.RunAsync(
            request, "tsdb status", [], TimeRange.All,
            stop => cluster.AskAsync(
                request.Tenant,
                async shards => (await Task.WhenAll(shards.Select(s => s.StatisticsAsync(stop).AsTask())), await TenantCardinality.AskAsync(shards, new CardinalityQuery(null, [Labels.MetricName], limit), stop)),
                stop));
        return ApiAnswer.Small(to =>
        {
            var used = heads.Where(h => h.HeadChunks > 0 && h.HeadMinTimeMs <= h.HeadMaxTimeMs).ToList();
            JsonFields.Raw(to, "{\"headStats\":{\"numSeries\":"u8);
            JsonFields.Number(to, heads.Sum(h => h.HeadSeries));
            JsonFields.Raw(to, ",\"numLabelPairs\":"u8);
            JsonFields.Number(to, found.Labels.Sum(l => l.Values.Count));
            JsonFields.Raw(to, ",\"chunkCount\":"u8);
            JsonFields.Number(to, heads.Sum(h => h.HeadChunks));

            // An empty head is told by Prometheus's own bounds.
            JsonFields.Raw(to, ",\"minTime\":"u8);
            JsonFields.Number(to, used.Count == 0 ? long.MaxValue : used.Min(h => h.HeadMinTimeMs));
            JsonFields.Raw(to, ",\"maxTime\":"u8);
            JsonFields.Number(to, used.Count == 0 ? long.MinValue : used.Max(h => h.HeadMaxTimeMs));
            JsonFields.Raw(to, "},\"seriesCountByMetricName\":"u8);
            Write(to, found.Frequent.Where(f => f.Pair.Name == Labels.MetricName).Select(f => (f.Pair.Value, f.Series)).Take(limit));
            JsonFields.Raw(to, ",\"labelValueCountByLabelName\":"u8);
            Write(to, Top(found.Labels.Select(l => (l.Name, l.Values.Count)), limit));
            JsonFields.Raw(to, ",\"memoryInBytesByLabelName\":"u8);
            Write(to, Top(found.Labels.Select(l => (l.Name, l.Bytes)), limit));
            JsonFields.Raw(to, ",\"seriesCountByLabelValuePair\":"u8);
            Write(to, found.Frequent.Select(f => ($"{f.Pair.Name}={f.Pair.Value}", f.Series)).Take(limit));
            JsonFields.Raw(to, "}"u8);
        });
    }

    private static int Limit(string text)
    {
        if (text.Length == 0)
        {
            return LimitDefault;
        }

        return !int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var limit) || limit < 1 ? throw new ApiException(ApiErrorType.BadData, "limit must be a positive number")
            : limit > LimitMax ? throw new ApiException(ApiErrorType.BadData, $"limit must not exceed {LimitMax}")
            : limit;
    }

    private static IEnumerable<(string Name, long Value)> Top(IEnumerable<(string Name, long Value)> all, int limit) =>
        all.OrderByDescending(a => a.Value).ThenBy(a => a.Name, StringComparer.Ordinal).Take(limit);

    private static void Write(IBufferWriter<byte> to, IEnumerable<(string Name, long Value)> statistics)
    {
        var isFirst = true;
        JsonFields.Raw(to, "["u8);
        foreach (var (name, value) in statistics)
        {
            JsonFields.Raw(to, isFirst ? "{\"name\":"u8 : ",{\"name\":"u8);
            isFirst = false;
            JsonFields.String(to, name);
            JsonFields.Raw(to, ",\"value\":"u8);
            JsonFields.Number(to, value);
            JsonFields.Raw(to, "}"u8);
        }

        JsonFields.Raw(to, "]"u8);
    }
}
