using System.Diagnostics;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Telemetry;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>What a query came to, and how long it waited and ran. It owns the result.</summary>
internal sealed record FrontEndAnswer(QueryResult Result, QueryTimings Timings) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose() => Result.Dispose();
}

/// <summary>What makes one question the same as another.</summary>
/// <param name="Tenant">Whose data.</param>
/// <param name="Query">The query and its parameters.</param>
/// <param name="Choice">How replicas and missing shards are treated.</param>
/// <param name="Unique">0, or a number of its own for a question that is not to be shared.</param>
internal readonly record struct Question(TenantId Tenant, QueryRequest Query, ReplicaChoice Choice, long Unique);

/// <summary>
/// Between the query API and the engine: waits for a turn, shares answers among those who ask the same at the same time, has range queries answered in parts and from the cache, and logs what was
/// slow.
/// </summary>
internal sealed partial class QueryFrontEnd(
    ICluster cluster, QueryExecution execute, GatewayOptions options, EngineOptions engine, ConcurrencyGate gate, QueryLimits limits, ActiveQueries active, QueryHistory history, FrontEndInstruments instruments, ResultCache? cache, TimeProvider time, ILogger<QueryFrontEnd> logger)
{
    private readonly RangeQueries ranges = new(cache, options.FrontEnd, engine, instruments, time);
    private readonly InstantQueries instants = new(cache, options.FrontEnd, engine);
    private readonly SharedQueries<Question, FrontEndAnswer> shared = new(instruments.OnJoined);
    private long lastUnique;

    /// <summary>How many shards a tenant's queries are asked of.</summary>
    public ValueTask<int> CountShardsAsync(TenantId tenant, CancellationToken cancellation) => cluster.AskAsync(tenant, static shards => ValueTask.FromResult(shards.Count), cancellation);

    /// <summary>Answers a query within its time.</summary>
    /// <param name="tenant">Whose data.</param>
    /// <param name="query">What is asked.</param>
    /// <param name="choice">How replicas and missing shards are treated.</param>
    /// <param name="timeout">How long it may take, waiting included.</param>
    /// <param name="mayStore">False to have it computed for this caller alone, from the data and nothing else.</param>
    /// <param name="user">Who asks, for the log.</param>
    /// <param name="aborted">Cancelled when the caller goes.</param>
    /// <exception cref="ApiException">It was stopped, took too long, or too many wait.</exception>
    /// <exception cref="QueryException">The engine refused.</exception>
    public async ValueTask<SharedQueries<Question, FrontEndAnswer>.Lease> AnswerAsync(
        TenantId tenant, QueryRequest query, ReplicaChoice choice, TimeSpan timeout, bool mayStore, string user, CancellationToken aborted)
    {
        using var entered = active.Enter(tenant, query, aborted);
        using var deadline = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, entered.Stopped);
        var started = time.GetTimestamp();
        var samples = 0L;
        var joined = true;
        try
        {
            var question = new Question(tenant, query, choice, mayStore ? 0 : Interlocked.Increment(ref lastUnique));
            var lease = await shared.RunAsync(
                question,
                cancellation =>
                {
                    joined = false;
                    return WorkAsync(entered, choice, mayStore, cancellation);
                },
                stop.Token);
            samples = lease.Result.Result.Statistics.TotalQueryableSamples;
            return lease;
        }
        catch (Exception e) when (e is OperationCanceledException or QueryException { Kind: QueryErrorKind.Canceled } && stop.IsCancellationRequested)
        {
            var where = joined || entered.IsRunning ? "expression evaluation" : "query queue";
            throw entered.Stopped.IsCancellationRequested
                ? new ApiException(ApiErrorType.Canceled, $"query was canceled in {where}", e)
                : new ApiException(ApiErrorType.Timeout, $"query timed out in {where}", e);
        }
        finally
        {
            var took = time.GetElapsedTime(started);
            history.Add(tenant, query.Query, query.Grid.EndMs - query.Grid.StartMs, took);
            LogIfSlow(tenant, user, query, took, samples);
        }
    }

    private async Task<FrontEndAnswer> WorkAsync(ActiveQuery entered, ReplicaChoice choice, bool mayStore, CancellationToken cancellation)
    {
        using var span = Tracing.Source.StartActivity("query");
        span?.SetTag("query", entered.Query.Query);
        var arrived = time.GetTimestamp();
        await gate.EnterAsync(entered.Tenant, cancellation);
        try
        {
            entered.IsRunning = true;
            var started = time.GetTimestamp();
            var result = await cluster.AskAsync(
                entered.Tenant,
                async shards =>
                {
                    cancellation.ThrowIfCancellationRequested();
                    var chosen = new ChosenExecution(execute, engine, choice);
                    return entered.Query.IsRange
                        ? await RangeAsync(entered.Query)
                        : await instants.AnswerAsync(entered.Tenant, entered.Query, shards, chosen, RangeAsync, cancellation);

                    ValueTask<QueryResult> RangeAsync(QueryRequest query) =>
                        ranges.AnswerAsync(entered.Tenant, query, shards, chosen, limits.Parallelism(entered.Tenant, options.FrontEnd.MaxParallelParts), mayStore, cancellation);
                },
                cancellation);
            return new FrontEndAnswer(result, new QueryTimings(time.GetElapsedTime(arrived, started), time.GetElapsedTime(started)));
        }
        finally
        {
            gate.Leave(entered.Tenant);
        }
    }

    private void LogIfSlow(TenantId tenant, string user, QueryRequest query, TimeSpan took, long samples)
    {
        if (options.FrontEnd.SlowQueryThreshold > TimeSpan.Zero && took >= options.FrontEnd.SlowQueryThreshold)
        {
            LogSlow(tenant.Value, user, query.Query, query.Grid.StartMs, query.Grid.EndMs, query.Grid.StepMs, took.TotalSeconds, samples, Activity.Current?.TraceId.ToString() ?? "");
        }
    }
}
