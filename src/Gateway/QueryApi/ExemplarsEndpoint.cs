using System.Buffers;
using System.Globalization;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Wire;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>query_exemplars</c>: the exemplars of all series that the selectors of a query name.</summary>
internal sealed class ExemplarsEndpoint(ApiEndpoint endpoint, ICluster cluster, PlainReads reads, ParseOptions parsing)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.GetPost, "/api/v1/query_exemplars", "query_exemplars", endpoint.Of(AnswerAsync)) { Access = RouteAccess.Read }];

    private async ValueTask<ApiAnswer> AnswerAsync(ApiRequest request)
    {
        var range = new TimeRange(request.Parameters.TimeMs("start", TimeText.MinTimeMs), request.Parameters.TimeMs("end", TimeText.MaxTimeMs));
        if (range.IsEmpty)
        {
            throw ApiException.InvalidParameter("end", "end timestamp must not be before start timestamp");
        }

        var selectors = ExpressionTree.Selectors(PromQLParser.Parse(request.Parameters["query"], parsing));
        if (selectors.Count == 0)
        {
            return ApiAnswer.Small(static writer => JsonFields.Raw(writer, "[]"u8));
        }

        var query = new LabelQuery(selectors, range, 0);
        var missing = ReplicaChoice.Of(request.Parameters, []).IsPartial ? new PartialWarnings() : null;
        var parts = await reads.RunAsync(
            request, "exemplars", selectors, range,
            stop => cluster.AskAsync(
                request.Tenant, async shards => await Task.WhenAll(shards.Select(shard => missing?.OrNothingAsync(() => shard.ExemplarsAsync(query, stop)) ?? shard.ExemplarsAsync(query, stop).AsTask())), stop));
        return ApiAnswer.Small(writer => Write(writer, parts.SelectMany(p => p).OrderBy(s => s.Series)), missing?.Texts);
    }

    private static void Write(IBufferWriter<byte> to, IEnumerable<SeriesExemplars> found)
    {
        JsonFields.Raw(to, "["u8);
        var isFirst = true;
        foreach (var (series, exemplars) in found)
        {
            JsonFields.Raw(to, isFirst ? "{\"seriesLabels\":"u8 : ",{\"seriesLabels\":"u8);
            isFirst = false;
            JsonFields.Object(to, series.Select(l => (l.Key, l.Value)));
            JsonFields.Raw(to, ",\"exemplars\":["u8);
            for (var i = 0; i < exemplars.Count; i++)
            {
                JsonFields.Raw(to, i == 0 ? "{\"labels\":"u8 : ",{\"labels\":"u8);
                JsonFields.Object(to, exemplars[i].Labels.Select(l => (l.Key, l.Value)));
                JsonFields.Raw(to, ",\"value\":"u8);
                JsonFields.String(to, Text(exemplars[i].Value));
                JsonFields.Raw(to, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"timestamp\":{exemplars[i].TimeMs / 1000.0}}}")));
            }

            JsonFields.Raw(to, "]}"u8);
        }

        JsonFields.Raw(to, "]"u8);
    }

    private static string Text(double value)
    {
        Span<byte> text = stackalloc byte[GoFloat.MaxBytes];
        return Encoding.ASCII.GetString(text[..GoFloat.FormatF(value, text)]);
    }
}
