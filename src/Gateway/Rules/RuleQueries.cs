using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Limits;
using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.Rules;

/// <summary>Lets the queries of rules through as any user's: within their tenant's limits, in turn with its other queries, and among the active ones. Thread-safe.</summary>
/// <remarks>They wait as long as it takes, within the time of a query: a tick whose rules were turned away because many are due at once would be lost.</remarks>
internal sealed class RuleQueries(QueryLimits limits, ConcurrencyGate gate, ActiveQueries active, TimeSpan timeout, TimeProvider time)
{
    /// <summary>Evaluates a rule's query.</summary>
    /// <exception cref="QueryException">It failed, met a limit, was stopped or took too long.</exception>
    public async ValueTask<QueryResult> ExecuteAsync(TenantId tenant, QueryEngine engine, QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation)
    {
        request = Admitted(tenant, request);
        using var entered = active.Enter(tenant, request, cancellation);
        using var deadline = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, entered.Stopped);
        try
        {
            await gate.EnterAsync(tenant, stop.Token, isRule: true);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw entered.Stopped.IsCancellationRequested
                ? new QueryException(QueryErrorKind.Canceled, "query was canceled in query queue", e)
                : new QueryException(QueryErrorKind.Timeout, "query timed out in query queue", e);
        }

        try
        {
            entered.IsRunning = true;
            var result = await engine.ExecuteAsync(request, leaves, stop.Token);
            limits.CountSamples(tenant, result.Statistics.TotalQueryableSamples);
            return result;
        }
        finally
        {
            gate.Leave(tenant);
        }
    }

    private QueryRequest Admitted(TenantId tenant, QueryRequest request)
    {
        try
        {
            return limits.Admit(tenant, request) with { Tenant = tenant };
        }
        catch (ApiException e)
        {
            throw new QueryException(QueryErrorKind.Execution, e.Message, e);
        }
    }
}
