using System.Buffers;
using System.Globalization;
using Metrics.Cluster;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.QueryApi;

/// <summary>
/// <c>cardinality/{label_names,label_values,active_series}</c>: Mimir's parameters and shapes, which have no envelope. With a selector head and blocks are looked at; without one, what the heads hold.
/// </summary>
internal sealed class CardinalityEndpoints(ApiEndpoint endpoint, ICluster cluster, PlainReads reads, LabelLookup lookup)
{
    private const int LimitDefault = 20;
    private const int LimitMax = 500;

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.GetPost, "/api/v1/cardinality/label_names", "cardinality_label_names", endpoint.Of(NamesAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/cardinality/label_values", "cardinality_label_values", endpoint.Of(ValuesAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/cardinality/active_series", "cardinality_active_series", endpoint.Of(SeriesAsync)) { Access = RouteAccess.Read },
    ];

    private async ValueTask<ApiAnswer> NamesAsync(ApiRequest request)
    {
        var limit = Limit(request);
        var found = await AskAsync(request, "label names", new CardinalityQuery(Selector(request), [], 0));
        return ApiAnswer.Bare(to =>
        {
            JsonFields.Raw(to, "{\"label_values_count_total\":"u8);
            JsonFields.Number(to, found.Labels.Sum(l => l.Values.Count));
            JsonFields.Raw(to, ",\"label_names_count\":"u8);
            JsonFields.Number(to, found.Labels.Count);
            JsonFields.Raw(to, ",\"cardinality\":"u8);
            Write(to, found.Labels.OrderByDescending(l => l.Values.Count).ThenBy(l => l.Name, StringComparer.Ordinal).Take(limit), static (to, label) =>
            {
                JsonFields.Raw(to, "{\"label_name\":"u8);
                JsonFields.String(to, label.Name);
                JsonFields.Raw(to, ",\"label_values_count\":"u8);
                JsonFields.Number(to, label.Values.Count);
                JsonFields.Raw(to, "}"u8);
            });
            JsonFields.Raw(to, "}"u8);
        });
    }

    private async ValueTask<ApiAnswer> ValuesAsync(ApiRequest request)
    {
        var limit = Limit(request);
        var names = request.Parameters.All("label_names[]").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (names.Count == 0)
        {
            throw new ApiException(ApiErrorType.BadData, "'label_names[]' param is required");
        }

        if (names.Exists(static n => n.Length == 0))
        {
            throw new ApiException(ApiErrorType.BadData, "invalid 'label_names' param '': a label has a name");
        }

        var found = await AskAsync(request, "label values", new CardinalityQuery(Selector(request), names, limit));
        var asked = names.ConvertAll(n => found.Labels.FirstOrDefault(l => l.Name == n) ?? new LabelCardinality(n, 0, 0, new DistinctCount()));
        return ApiAnswer.Bare(to =>
        {
            JsonFields.Raw(to, "{\"series_count_total\":"u8);
            JsonFields.Number(to, found.Series);
            JsonFields.Raw(to, ",\"labels\":"u8);
            Write(to, asked.OrderByDescending(l => l.Values.Count).ThenBy(l => l.Name, StringComparer.Ordinal), (to, label) =>
            {
                JsonFields.Raw(to, "{\"label_name\":"u8);
                JsonFields.String(to, label.Name);
                JsonFields.Raw(to, ",\"label_values_count\":"u8);
                JsonFields.Number(to, label.Values.Count);
                JsonFields.Raw(to, ",\"series_count\":"u8);
                JsonFields.Number(to, label.Series);
                JsonFields.Raw(to, ",\"cardinality\":"u8);
                Write(to, found.Frequent.Where(f => f.Pair.Name == label.Name).Take(limit), static (to, value) =>
                {
                    JsonFields.Raw(to, "{\"label_value\":"u8);
                    JsonFields.String(to, value.Pair.Value);
                    JsonFields.Raw(to, ",\"series_count\":"u8);
                    JsonFields.Number(to, value.Series);
                    JsonFields.Raw(to, "}"u8);
                });
                JsonFields.Raw(to, "}"u8);
            });
            JsonFields.Raw(to, "}"u8);
        });
    }

    private async ValueTask<ApiAnswer> SeriesAsync(ApiRequest request)
    {
        var selector = Selector(request) ?? throw new ApiException(ApiErrorType.BadData, "'selector' param is required");
        var query = new LabelQuery([selector], TimeRange.All, 0);
        var (parts, lease) = await lookup.AskAsync(request, "active series", query, (shard, stop) => shard.SeriesAsync(query, stop));
        var series = parts.SelectMany(p => p).Distinct().Order().ToList();
        return ApiAnswer.Bare(async (to, cancellation) =>
        {
            JsonFields.Raw(to, "{\"data\":"u8);
            await SeriesJson.WriteLabelSetsAsync(to, series, request.Tenant, cancellation);
            JsonFields.Raw(to, "}"u8);
        }, lease);
    }

    private ValueTask<TenantCardinality> AskAsync(ApiRequest request, string what, CardinalityQuery query) =>
        reads.RunAsync(request, $"cardinality of {what}", query.Selector is { } selector ? [selector] : [], TimeRange.All, stop => TenantCardinality.AskAsync(cluster, request.Tenant, query, stop));

    private static IReadOnlyList<Matcher>? Selector(ApiRequest request)
    {
        var text = request.Parameters["selector"];
        try
        {
            return text.Length == 0 ? null : PromQLParser.ParseSelector(text);
        }
        catch (PromQLParseException e)
        {
            throw new ApiException(ApiErrorType.BadData, $"error parsing selector: {e.Message}", e);
        }
    }

    private static int Limit(ApiRequest request)
    {
        var text = request.Parameters["limit"];
        if (text.Length == 0)
        {
            return LimitDefault;
        }

        return !int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var limit) ? throw new ApiException(ApiErrorType.BadData, $"strconv.Atoi: parsing {LabelsText.Quote(text)}: invalid syntax")
            : limit < 0 ? throw new ApiException(ApiErrorType.BadData, "'limit' param cannot be less than '0'")
            : limit > LimitMax ? throw new ApiException(ApiErrorType.BadData, $"'limit' param cannot be greater than '{LimitMax}'")
            : limit;
    }

    private static void Write<T>(IBufferWriter<byte> to, IEnumerable<T> items, Action<IBufferWriter<byte>, T> write)
    {
        var isFirst = true;
        JsonFields.Raw(to, "["u8);
        foreach (var item in items)
        {
            JsonFields.Raw(to, isFirst ? ""u8 : ","u8);
            isFirst = false;
            write(to, item);
        }

        JsonFields.Raw(to, "]"u8);
    }
}
