using System.Buffers;
using Metrics.Cluster;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>metadata</c>: what senders declared about metric families.</summary>
internal sealed class MetadataEndpoint(ApiEndpoint endpoint, ICluster cluster)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Get, "/api/v1/metadata", "metadata", endpoint.Of(AnswerAsync)) { Access = RouteAccess.Read }];

    private async ValueTask<ApiAnswer> AnswerAsync(ApiRequest request)
    {
        var limit = Number(request.Parameters, "limit");
        var limitPerFamily = Number(request.Parameters, "limit_per_metric");
        var family = request.Parameters["metric"];

        // The seam takes 0 for no limit, the API a negative number; the API's 0 asks for nothing.
        if (limit == 0 || await cluster.FindTenantAsync(request.Tenant, request.Aborted) is not { } tenant)
        {
            return ApiAnswer.Small(writer => JsonFields.Raw(writer, "{}"u8));
        }

        var found = tenant.Metadata.Get(family.Length == 0 ? null : family, Math.Max(0, limit), Math.Max(0, limitPerFamily));
        return ApiAnswer.Small(writer => Write(writer, found));
    }

    private static int Number(RequestParameters parameters, string name)
    {
        var text = parameters[name];
        return text.Length == 0 ? -1
            : int.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, null, out var number) ? number
            : throw new ApiException(ApiErrorType.BadData, $"{name} must be a number");
    }

    private static void Write(IBufferWriter<byte> to, IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> families)
    {
        JsonFields.Raw(to, "{"u8);
        var isFirst = true;
        foreach (var (family, entries) in families.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            JsonFields.Raw(to, isFirst ? ""u8 : ","u8);
            isFirst = false;
            JsonFields.String(to, family);
            JsonFields.Raw(to, ":["u8);
            for (var i = 0; i < entries.Count; i++)
            {
                JsonFields.Raw(to, i == 0 ? ""u8 : ","u8);
                JsonFields.Object(to, [("type", entries[i].Type), ("unit", entries[i].Unit), ("help", entries[i].Help)]);
            }

            JsonFields.Raw(to, "]"u8);
        }

        JsonFields.Raw(to, "}"u8);
    }
}
