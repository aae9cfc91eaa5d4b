using System.Globalization;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;
using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>Evaluates a query over leaves: the engine's <c>ExecuteAsync</c>.</summary>
internal delegate ValueTask<QueryResult> QueryExecution(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation);

/// <summary><c>query</c> and <c>query_range</c>, and Thanos's <c>query_explain</c> and <c>query_range_explain</c>. Parameters, their order of checking and the messages are Prometheus's (web/api/v1/api.go).</summary>
internal sealed class QueryEndpoints(
    ApiEndpoint endpoint, QueryFrontEnd frontEnd, QueryOptions options, string userHeader, EngineOptions engine, QueryLimits limits, GatewayInstruments instruments, TimeProvider time)
{
    /// <summary>Steps of a range query: enough for a week by minutes or a year by hours.</summary>
    private const int MaxSteps = 11_000;

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.GetPost, "/api/v1/query", "query", endpoint.Of(request => EvaluateAsync(request, Instant(request.Parameters), "instant"))) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/query_range", "query_range", endpoint.Of(request => EvaluateAsync(request, Range(request.Parameters), "range"))) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/query_explain", "query_explain", endpoint.Of(request => ExplainAsync(request, Instant(request.Parameters).Query))) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/query_range_explain", "query_range_explain", endpoint.Of(request => ExplainAsync(request, Range(request.Parameters).Query))) { Access = RouteAccess.Read },
    ];

    private (QueryRequest Query, TimeSpan Timeout) Instant(RequestParameters parameters)
    {
        var limit = parameters.Limit();
        var timeMs = parameters.TimeMs("time", time.GetUtcNow().ToUnixTimeMilliseconds());
        var timeout = Timeout(parameters);
        var query = new QueryRequest(parameters["query"], TimeGrid.Instant(timeMs), IsRange: false) { LookbackMs = parameters.LookbackMs(), Limit = limit, MaxResolutionMs = MaxResolution(parameters, 0) };
        return (query, timeout);
    }

    private (QueryRequest Query, TimeSpan Timeout) Range(RequestParameters parameters)
    {
        var limit = parameters.Limit();
        var startMs = parameters.RequiredTimeMs("start");
        var endMs = parameters.RequiredTimeMs("end");
        if (endMs < startMs)
        {
            throw ApiException.InvalidParameter("end", "end timestamp must not be before start time");
        }

        // Steps below a millisecond would all fall on one instant; like 0 they are refused.
        var stepNs = parameters.DurationNs("step");
        if (stepNs < 1_000_000)
        {
            throw ApiException.InvalidParameter("step", "zero or negative query resolution step widths are not accepted. Try a positive integer");
        }

        if (((Int128)endMs - startMs) * 1_000_000 / stepNs > MaxSteps)
        {
            throw new ApiException(ApiErrorType.BadData, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
        }

        var timeout = Timeout(parameters);
        var query = new QueryRequest(parameters["query"], new TimeGrid(startMs, endMs, stepNs / 1_000_000), IsRange: true) { LookbackMs = parameters.LookbackMs(), Limit = limit, MaxResolutionMs = MaxResolution(parameters, stepNs / 1_000_000) };
        return (query, timeout);
    }

    /// <summary>Thanos's <c>max_source_resolution</c>: a duration, or <c>auto</c> for a fifth of the step.</summary>
    private static long MaxResolution(RequestParameters parameters, long stepMs) => parameters["max_source_resolution"] switch
    {
        "" => 0,
        "auto" => stepMs / 5,
        _ => Math.Max(0, parameters.DurationNs("max_source_resolution") / 1_000_000),
    };

    private TimeSpan Timeout(RequestParameters parameters)
    {
        if (parameters["timeout"].Length == 0)
        {
            return options.Timeout;
        }

        var asked = TimeSpan.FromTicks(Math.Max(0, parameters.DurationNs("timeout") / 100));
        return asked < options.Timeout ? asked : options.Timeout;
    }

    private async ValueTask<ApiAnswer> EvaluateAsync(ApiRequest request, (QueryRequest Query, TimeSpan Timeout) asked, string kind)
    {
        var (query, timeout) = asked;
        query = limits.Admit(request.Tenant, query) with { Tenant = request.Tenant, PerStepStatistics = request.Parameters["stats"] == "all", Analyze = request.Parameters["analyze"] is "true" or "1" };
        var lease = await frontEnd.AnswerAsync(request.Tenant, query, ReplicaChoice.Of(request.Parameters, options.ReplicaLabels), timeout, MayStore(request.Context.Request), User(request.Context), request.Aborted);
        var (result, timings) = lease.Result;
        instruments.OnQueried(kind, timings.Evaluated, result.Statistics.TotalQueryableSamples);
        limits.CountSamples(request.Tenant, result.Statistics.TotalQueryableSamples);

        // https://www.w3.org/TR/server-timing: browsers and Grafana show it beside the request.
        request.Context.Response.Headers["Server-Timing"] = string.Create(
            CultureInfo.InvariantCulture, $"queue;dur={timings.Queued.TotalMilliseconds:0.###}, evaluation;dur={timings.Evaluated.TotalMilliseconds:0.###}, samples;desc=\"{result.Statistics.TotalQueryableSamples}\"");
        return QueryAnswer.Of(result, lease, query, request.Parameters["stats"], timings);
    }

    private async ValueTask<ApiAnswer> ExplainAsync(ApiRequest request, QueryRequest query)
    {
        query = limits.Admit(request.Tenant, query);
        var outline = new QueryEngine(engine).Explain(query, await frontEnd.CountShardsAsync(request.Tenant, request.Aborted));
        return ApiAnswer.Small(to => AnalysisJson.Write(to, outline));
    }

    /// <summary>Who asks, for the log: not who may, which is settled. What a client says of itself is cut off at what a name may be.</summary>
    private string User(HttpContext context)
    {
        const int NameMax = 128;
        var named = userHeader.Length > 0 ? context.Request.Headers[userHeader].ToString() : "";
        return named.Length == 0 ? Caller.Of(context).Identity.Name : named.Length <= NameMax ? named : named[..NameMax];
    }

    private static bool MayStore(HttpRequest request)
    {
        foreach (var header in request.Headers.CacheControl)
        {
            if (header?.Contains("no-store", StringComparison.OrdinalIgnoreCase) == true)
            {
                return false;
            }
        }

        return true;
    }
}
