using System.Diagnostics;
using Metrics.Model;
using Metrics.PromQL.Analysis;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL;

/// <summary>Answers queries: parse, plan, send fragments to the leaves, merge, finish.</summary>
/// <remarks>Thread-safe; one engine serves all tenants.</remarks>
public sealed class QueryEngine(EngineOptions options)
{
    /// <summary>Series of the leaves' answers up to which the rest takes no longer than another thread to begin.</summary>
    private const int SmallAnswer = 512;

    /// <summary>How the engine behaves.</summary>
    public EngineOptions Options { get; } = options;

    /// <summary>Answers a query over the given leaves, whose series are disjoint.</summary>
    /// <exception cref="PromQLParseException">The query does not parse or type-check.</exception>
    /// <exception cref="QueryException">The query failed, was cancelled, or met a bound.</exception>
    public ValueTask<QueryResult> ExecuteAsync(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation) =>
        ExecuteAsync(request, request.Expression ?? PromQLParser.Parse(request.Query, Options.Parsing), leaves, cancellation);

    /// <summary>Answers a query that is parsed already.</summary>
    internal async ValueTask<QueryResult> ExecuteAsync(QueryRequest request, Expr expression, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation)
    {
        CheckType(request, expression);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bound.CancelAfter(Options.Timeout);
        var began = Stopwatch.GetTimestamp();
        var memory = Options.Memory.Open(request.Bounds);
        var isDone = false;
        try
        {
            var plan = QueryPlan.Make(expression, request.Grid, request.LookbackMs ?? Options.LookbackMs, Options);
            var meters = request.Analyze ? new PlanMeters(plan.Root) : null;
            var planned = Stopwatch.GetElapsedTime(began);
            var answers = await RunAsync(plan, request, leaves, meters, memory, bound.Token).ConfigureAwait(false);
            try
            {
                var run = new QueryRun(request, Options, plan, answers, meters, memory, bound.Token);
                var result = answers.Sum(static f => f.Sum(static a => a.Series.Count)) <= SmallAnswer
                    ? await ProcessorShares.OfProcess.RunHereAsync(request.Tenant, ProcessorUse.Query, run.Finish, bound.Token).ConfigureAwait(false)
                    : await ProcessorShares.OfProcess.RunAsync(request.Tenant, ProcessorUse.Query, run.Finish, bound.Token).ConfigureAwait(false);
                result.Statistics.Preparation += planned;
                memory.Settle(result.EstimatedBytes);
                isDone = true;
                return result;
            }
            finally
            {
                foreach (var answer in answers)
                {
                    Dispose(answer);
                }
            }
        }
        catch (OperationCanceledException e) when (cancellation.IsCancellationRequested)
        {
            throw new QueryException(QueryErrorKind.Canceled, "query was canceled in expression evaluation", e);
        }
        catch (OperationCanceledException e)
        {
            throw new QueryException(QueryErrorKind.Timeout, "query timed out in expression evaluation", e);
        }
        finally
        {
            if (!isDone)
            {
                memory.Dispose();
            }
        }
    }

    /// <summary>The operators that a query would be answered by.</summary>
    /// <param name="request">The query.</param>
    /// <param name="shards">How many shards would answer its fragments.</param>
    /// <exception cref="PromQLParseException">The query does not parse or type-check.</exception>
    public PlanOutline Explain(QueryRequest request, int shards)
    {
        var expression = PromQLParser.Parse(request.Query, Options.Parsing);
        CheckType(request, expression);
        return PlanReport.Outline(QueryPlan.Make(expression, request.Grid, request.LookbackMs ?? Options.LookbackMs, Options).Root, shards);
    }

    private static void CheckType(QueryRequest request, Expr expression)
    {
        if (request.IsRange && expression.Type is not (ValueType.Scalar or ValueType.Vector))
        {
            throw new QueryException(
                QueryErrorKind.BadData, $"invalid expression type \"{TypeName(expression.Type)}\" for range query, must be Scalar or instant Vector");
        }
    }

    private async Task<FragmentResult[][]> RunAsync(
        QueryPlan plan, QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, PlanMeters? meters, MemoryLease memory, CancellationToken cancellation)
    {
        var running = new Task<FragmentResult>[plan.Fragments.Count][];
        for (var i = 0; i < running.Length; i++)
        {
            var fragment = new Fragment(
                request.Query,
                request.Grid,
                request.IsRange,
                request.LookbackMs ?? Options.LookbackMs,
                Options.DelayedNameRemoval,
                Options.DefaultSubqueryStepMs,
                Options.TypeAndUnitLabels,
                Options.UseStartTimestamps,
                request.Bounds.SamplesUnder(Options.MaxSamples),
                i)
            {
                Bounds = request.Bounds,
                MaxResolutionMs = request.MaxResolutionMs,

                // What a subquery reads is told apart by steps, for not all of them may be used.
                PerStepStatistics = request.PerStepStatistics || plan.Fragments[i].Grid != request.Grid,
                Analyze = request.Analyze,
                Plan = plan.Fragments[i].Body,
                Memory = memory,
            };
            running[i] = new Task<FragmentResult>[leaves.Count];
            for (var leaf = 0; leaf < leaves.Count; leaf++)
            {
                running[i][leaf] = leaves[leaf].RunAsync(fragment, cancellation).AsTask();
            }
        }

        try
        {
            if (meters is not null)
            {
                await Task.WhenAll(running.Select((tasks, i) => MeasuredAsync(tasks, meters.Of(plan.Fragments[i])))).ConfigureAwait(false);
            }

            var answers = new FragmentResult[running.Length][];
            for (var i = 0; i < running.Length; i++)
            {
                answers[i] = await Task.WhenAll(running[i]).ConfigureAwait(false);
            }

            return answers;
        }
        catch
        {
            // What did arrive, or still will, holds pooled columns.
            foreach (var task in running.SelectMany(static t => t))
            {
                _ = task.ContinueWith(
                    static t => t.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            }

            throw;
        }
    }

    private static async Task MeasuredAsync(Task<FragmentResult>[] tasks, OperatorMeter meter)
    {
        using (new PlanMeters.Scope(meter))
        {
            await Task.WhenAll(tasks).ConfigureAwait(false);
        }
    }

    private static void Dispose(FragmentResult[] answers)
    {
        foreach (var answer in answers)
        {
            answer.Dispose();
        }
    }

    private static string TypeName(ValueType type) => type == ValueType.Matrix ? "range vector" : type.ToString().ToLowerInvariant();
}
