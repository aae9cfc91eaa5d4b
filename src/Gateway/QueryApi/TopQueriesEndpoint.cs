using System.Buffers;
using System.Globalization;
using System.Text;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>status/top_queries</c>: the tenant's queries that were asked most often, and those that took longest, each and together. VictoriaMetrics's shape.</summary>
internal sealed class TopQueriesEndpoint(ApiEndpoint endpoint, QueryHistory history, TimeProvider time)
{
    private const int TopDefault = 20;
    private const int TopMax = 1000;
    private static readonly TimeSpan lifetimeDefault = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan lifetimeMax = TimeSpan.FromDays(365);

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Get, "/api/v1/status/top_queries", "status_top_queries", endpoint.Of(AnswerAsync, needsData: false)) { Access = RouteAccess.Read }];

    private ValueTask<ApiAnswer> AnswerAsync(ApiRequest request)
    {
        var top = Top(request.Parameters["topN"]);
        var lifetime = Lifetime(request.Parameters);
        var all = history.Since(request.Tenant, time.GetUtcNow() - lifetime)
            .GroupBy(static q => (q.Query, q.RangeMs))
            .Select(static g => new Asked(g.Key.Query, g.Key.RangeMs, g.Count(), g.Sum(static q => q.Took.TotalSeconds)))
            .ToList();
        return ValueTask.FromResult(ApiAnswer.Bare(to =>
        {
            JsonFields.Raw(to, "{\"status\":\"ok\",\"topN\":"u8);
            JsonFields.String(to, top.ToString(CultureInfo.InvariantCulture));
            JsonFields.Raw(to, ",\"maxLifetime\":"u8);
            JsonFields.String(to, DurationText.Format(lifetime));
            Encoding.UTF8.GetBytes($",\"search.queryStats.lastQueriesCount\":{QueryHistory.QueriesMax},\"search.queryStats.minQueryDuration\":\"{DurationText.Format(QueryHistory.DurationMin)}\"", to);
            Write(to, "topByCount", all.OrderByDescending(static a => a.Count), top, "", static _ => 0);
            Write(to, "topByAvgDuration", all.OrderByDescending(static a => a.AverageSeconds), top, "avgDurationSeconds", static a => a.AverageSeconds);
            Write(to, "topBySumDuration", all.OrderByDescending(static a => a.Seconds), top, "sumDurationSeconds", static a => a.Seconds);
            JsonFields.Raw(to, "}"u8);
        }));
    }

    private static int Top(string text) =>
        text.Length == 0 ? TopDefault
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var top) && top is > 0 and <= TopMax ? top
        : throw ApiException.InvalidParameter("topN", $"must be a number from 1 to {TopMax}");

    private static TimeSpan Lifetime(RequestParameters parameters)
    {
        if (parameters["maxLifetime"].Length == 0)
        {
            return lifetimeDefault;
        }

        var asked = TimeSpan.FromTicks(Math.Max(0, parameters.DurationNs("maxLifetime") / 100));
        return asked < lifetimeMax ? asked : lifetimeMax;
    }

    private static void Write(IBufferWriter<byte> to, string name, IOrderedEnumerable<Asked> ordered, int top, string field, Func<Asked, double> value)
    {
        var isFirst = true;
        JsonFields.Raw(to, ","u8);
        JsonFields.String(to, name);
        JsonFields.Raw(to, ":["u8);
        foreach (var asked in ordered.ThenBy(static a => a.Query, StringComparer.Ordinal).Take(top))
        {
            JsonFields.Raw(to, isFirst ? "{\"query\":"u8 : ",{\"query\":"u8);
            isFirst = false;
            JsonFields.String(to, asked.Query);
            Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"timeRangeSeconds\":{asked.RangeMs / 1000}"), to);
            if (field.Length > 0)
            {
                Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"{field}\":{value(asked):0.######}"), to);
            }

            JsonFields.Raw(to, ",\"count\":"u8);
            JsonFields.Number(to, asked.Count);
            JsonFields.Raw(to, "}"u8);
        }

        JsonFields.Raw(to, "]"u8);
    }

    /// <summary>The same query over a time of the same length, however often it was asked.</summary>
    private sealed record Asked(string Query, long RangeMs, int Count, double Seconds)
    {
        public double AverageSeconds => Seconds / Count;
    }
}
