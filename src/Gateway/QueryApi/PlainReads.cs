using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Telemetry;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>Lets requests that read data without being queries (labels, series, exemplars, cardinality, federation, remote read) through as queries are: in turn with the tenant's others, for as long as a query may take, among the active ones, and not when they are blocked. Thread-safe.</summary>
internal sealed class PlainReads(ConcurrencyGate gate, ActiveQueries active, QueryLimits limits, TimeSpan timeout, TimeProvider time)
{
    /// <summary>The most series, chunks and bytes that one may read of a tenant.</summary>
    public QueryBounds BoundsOf(TenantId tenant) => limits.BoundsOf(tenant);

    /// <summary>Counts samples that one has read among those of queries.</summary>
    public void CountSamples(TenantId tenant, long samples) => limits.CountSamples(tenant, samples);

    /// <summary>Does the reading of a request of the query API.</summary>
    /// <param name="request">The request.</param>
    /// <param name="what">What it is called among the active queries, before its selectors.</param>
    /// <param name="selectors">What it selects; none for everything.</param>
    /// <param name="range">Over which time.</param>
    /// <param name="work">Reads; ends as soon as it notices that its token is cancelled.</param>
    /// <exception cref="ApiException">It is blocked, was stopped, took too long, or too many wait.</exception>
    public ValueTask<T> RunAsync<T>(ApiRequest request, string what, IReadOnlyList<IReadOnlyList<Matcher>> selectors, TimeRange range, Func<CancellationToken, ValueTask<T>> work)
    {
        limits.AdmitSelectors(request.Tenant, selectors, range);
        return RunAsync(request.Tenant, $"{what} {string.Join(", ", selectors.Select(QueryLimits.TextOf))}".TrimEnd(), range, work, request.Aborted);
    }

    /// <summary>Does the reading of any request that was admitted, as above.</summary>
    public async ValueTask<T> RunAsync<T>(TenantId tenant, string text, TimeRange range, Func<CancellationToken, ValueTask<T>> work, CancellationToken aborted)
    {
        using var span = Tracing.Source.StartActivity("read");
        span?.SetTag("read", text);
        using var entered = active.Enter(tenant, new QueryRequest(text, new TimeGrid(range.MinMs, range.MaxMs, 0), IsRange: false), aborted);
        using var deadline = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, entered.Stopped);
        try
        {
            await gate.EnterAsync(tenant, stop.Token);
            try
            {
                entered.IsRunning = true;
                return await work(stop.Token);
            }
            finally
            {
                gate.Leave(tenant);
            }
        }
        catch (OperationCanceledException e) when (stop.IsCancellationRequested)
        {
            var where = entered.IsRunning ? "execution" : "the query queue";
            throw entered.Stopped.IsCancellationRequested
                ? new ApiException(ApiErrorType.Canceled, $"the request was canceled in {where}", e)
                : new ApiException(ApiErrorType.Timeout, $"the request timed out in {where}", e);
        }
    }
}
