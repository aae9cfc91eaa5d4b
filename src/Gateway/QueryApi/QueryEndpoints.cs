using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>Evaluates a query over leaves: the engine's <c>ExecuteAsync</c>.</summary>
internal delegate ValueTask<QueryResult> QueryExecution(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation);

/// <summary><c>query</c> and <c>query_range</c>. Parameters, their order of checking and the messages are Prometheus's (web/api/v1/api.go).</summary>
internal sealed class QueryEndpoints(
    ApiEndpoint endpoint, ICluster cluster, QueryExecution execute, QueryOptions options, ConcurrencyGate gate, QueryLimits limits, GatewayInstruments instruments, TimeProvider time)
{
    /// <summary>Steps of a range query: enough for a week by minutes or a year by hours.</summary>
    private const int MaxSteps = 11_000;

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.GetPost, "/api/v1/query", "query", endpoint.Of(QueryAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/query_range", "query_range", endpoint.Of(QueryRangeAsync)) { Access = RouteAccess.Read },
    ];

    private ValueTask<ApiAnswer> QueryAsync(ApiRequest request)
    {
        var parameters = request.Parameters;
        var limit = parameters.Limit();
        var timeMs = parameters.TimeMs("time", time.GetUtcNow().ToUnixTimeMilliseconds());
        var timeout = Timeout(parameters);
        var query = new QueryRequest(parameters["query"], TimeGrid.Instant(timeMs), IsRange: false) { LookbackMs = parameters.LookbackMs(), Limit = limit, MaxResolutionMs = MaxResolution(parameters, 0) };
        return EvaluateAsync(request, query, timeout, "instant");
    }

    private ValueTask<ApiAnswer> QueryRangeAsync(ApiRequest request)
    {
        var parameters = request.Parameters;
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
        return EvaluateAsync(request, query, timeout, "range");
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

    private async ValueTask<ApiAnswer> EvaluateAsync(ApiRequest request, QueryRequest query, TimeSpan timeout, string kind)
    {
        query = limits.Admit(request.Tenant, query);
        using var deadline = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, request.Aborted);
        var isRunning = false;
        var arrived = time.GetTimestamp();
        try
        {
            await gate.EnterAsync(request.Tenant, stop.Token);
            isRunning = true;
            var started = time.GetTimestamp();
            var leaves = await LeavesAsync(request.Tenant, stop.Token);
            stop.Token.ThrowIfCancellationRequested();
            var result = await execute(query, leaves, stop.Token);
            var took = time.GetElapsedTime(started);
            instruments.OnQueried(kind, took, result.Statistics.TotalQueryableSamples);
            return QueryAnswer.Of(result, query, request.Parameters["stats"], new QueryTimings(time.GetElapsedTime(arrived, started), took));
        }
        catch (Exception e) when (e is OperationCanceledException or QueryException { Kind: QueryErrorKind.Canceled } && stop.IsCancellationRequested)
        {
            var where = isRunning ? "expression evaluation" : "query queue";
            throw request.Aborted.IsCancellationRequested
                ? new ApiException(ApiErrorType.Canceled, $"query was canceled in {where}", e)
                : new ApiException(ApiErrorType.Timeout, $"query timed out in {where}", e);
        }
        finally
        {
            if (isRunning)
            {
                gate.Leave(request.Tenant);
            }
        }
    }

    private async ValueTask<IReadOnlyList<IQueryLeaf>> LeavesAsync(TenantId tenant, CancellationToken cancellation) =>
        await cluster.FindTenantAsync(tenant, cancellation) is { } found ? found.Shards : [];
}
