using System.Buffers;
using System.Globalization;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;

namespace Metrics.Gateway.Search;

/// <summary><c>search/metric_names</c>, <c>search/label_names</c>, <c>search/label_values</c>: what an editor completes names from, as lines of JSON. Prometheus's, where they are experimental.</summary>
internal sealed class SearchEndpoints(ApiEndpoint endpoint, ICluster cluster, PlainReads reads, LabelLookup labels, TimeProvider time)
{
    private const string ContentType = "application/x-ndjson; charset=utf-8";

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.GetPost, "/api/v1/search/metric_names", "search_metric_names", endpoint.Of(MetricsAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/search/label_names", "search_label_names", endpoint.Of(NamesAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/search/label_values", "search_label_values", endpoint.Of(ValuesAsync)) { Access = RouteAccess.Read },
    ];

    private async ValueTask<ApiAnswer> MetricsAsync(ApiRequest request)
    {
        var search = SearchRequest.Read(request.Parameters, time.GetUtcNow());
        var metadata = SearchRequest.Flag(request.Parameters, "include_metadata", false) && await cluster.FindTenantAsync(request.Tenant, request.Aborted) is { } tenant ? tenant.Metadata : null;
        var found = await FindAsync(request, search, (shard, stop) => shard.LabelValuesAsync(Labels.MetricName, search.Query, stop));
        return Answer(search, found, "name", (to, name) =>
        {
            if (metadata?.Get(name, 1, 1) is { } known && known.TryGetValue(name, out var entries) && entries.Count > 0)
            {
                Field(to, ",\"type\":"u8, entries[0].Type);
                Field(to, ",\"help\":"u8, entries[0].Help);
                Field(to, ",\"unit\":"u8, entries[0].Unit);
            }
        });
    }

    private async ValueTask<ApiAnswer> NamesAsync(ApiRequest request)
    {
        var search = SearchRequest.Read(request.Parameters, time.GetUtcNow());
        return Answer(search, await FindAsync(request, search, (shard, stop) => shard.LabelNamesAsync(search.Query, stop)), "name", static (_, _) => { });
    }

    private async ValueTask<ApiAnswer> ValuesAsync(ApiRequest request)
    {
        var search = SearchRequest.Read(request.Parameters, time.GetUtcNow());
        var label = request.Parameters["label"];
        if (label.Length == 0)
        {
            throw new ApiException(ApiErrorType.BadData, "missing required parameter \"label\"");
        }

        return Answer(search, await FindAsync(request, search, (shard, stop) => shard.LabelValuesAsync(label, search.Query, stop)), "value", static (_, _) => { });
    }

    /// <summary>The names that fit, in order, and one more than wanted if there is one.</summary>
    private ValueTask<List<(string Name, double Score)>> FindAsync(ApiRequest request, SearchRequest search, Func<IShard, CancellationToken, ValueTask<IReadOnlyList<string>>> ask) =>
        reads.RunAsync(request, "search", search.Query.Selectors, search.Query.Range, stop => FindAsync(request.Tenant, search, ask, stop));

    private async ValueTask<List<(string Name, double Score)>> FindAsync(TenantId tenant, SearchRequest search, Func<IShard, CancellationToken, ValueTask<IReadOnlyList<string>>> ask, CancellationToken stop)
    {
        var (parts, lease) = await labels.ReadAsync(tenant, ask, null, stop);
        using var held = lease;
        return await ProcessorShares.OfProcess.RunAsync(tenant, ProcessorUse.Query, Choose, stop);

        List<(string, double)> Choose()
        {
            var fitting = new Dictionary<string, double>(StringComparer.Ordinal);
            foreach (var name in parts.SelectMany(static p => p))
            {
                stop.ThrowIfCancellationRequested();
                ProcessorTurn.Checkpoint();
                if (!fitting.ContainsKey(name) && search.Filter.Score(name) is { } score)
                {
                    fitting.Add(name, score);
                }
            }

            var ordered = search.Order switch
            {
                SearchOrder.Descending => fitting.OrderByDescending(static f => f.Key, StringComparer.Ordinal),
                SearchOrder.Score => fitting.OrderByDescending(static f => f.Value).ThenBy(static f => f.Key, StringComparer.Ordinal),
                _ => fitting.OrderBy(static f => f.Key, StringComparer.Ordinal),
            };
            return [.. ordered.Take(search.Limit + 1).Select(static f => (f.Key, f.Value))];
        }
    }

    private static ApiAnswer Answer(SearchRequest search, List<(string Name, double Score)> found, string field, Action<IBufferWriter<byte>, string> more)
    {
        var to = new ArrayBufferWriter<byte>();
        var count = Math.Min(found.Count, search.Limit);
        for (var i = 0; i < count || i == 0; i += search.BatchSize)
        {
            JsonFields.Raw(to, "{\"results\":["u8);
            for (var j = i; j < Math.Min(count, (long)i + search.BatchSize); j++)
            {
                JsonFields.Raw(to, j == i ? "{"u8 : ",{"u8);
                JsonFields.String(to, field);
                JsonFields.Raw(to, ":"u8);
                JsonFields.String(to, found[j].Name);
                if (search.IncludeScore)
                {
                    Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"score\":{found[j].Score:R}"), to);
                }

                more(to, found[j].Name);
                JsonFields.Raw(to, "}"u8);
            }

            JsonFields.Raw(to, "]}\n"u8);
            if (search.BatchSize >= count)
            {
                break;
            }
        }

        JsonFields.Raw(to, found.Count > count ? "{\"status\":\"success\",\"has_more\":true}\n"u8 : "{\"status\":\"success\",\"has_more\":false}\n"u8);
        return ApiAnswer.Binary(ContentType, to.WrittenMemory);
    }

    private static void Field(IBufferWriter<byte> to, ReadOnlySpan<byte> name, string text)
    {
        if (text.Length > 0)
        {
            JsonFields.Raw(to, name);
            JsonFields.String(to, text);
        }
    }
}
