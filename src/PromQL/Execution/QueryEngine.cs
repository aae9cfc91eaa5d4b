using Metrics.Model;
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
        if (request.IsRange && expression.Type is not (ValueType.Scalar or ValueType.Vector))
        {
            throw new QueryException(
                QueryErrorKind.BadData, $"invalid expression type \"{TypeName(expression.Type)}\" for range query, must be Scalar or instant Vector");
        }

        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bound.CancelAfter(Options.Timeout);
        try
        {
            var plan = QueryPlan.Make(expression, request.Grid, request.LookbackMs ?? Options.LookbackMs, Options);
            var answers = await RunAsync(plan, request, leaves, bound.Token).ConfigureAwait(false);
            try
            {
                var run = new QueryRun(request, Options, plan, answers, bound.Token);
                return answers.Sum(static f => f.Sum(static a => a.Series.Count)) <= SmallAnswer
                    ? await ProcessorShares.OfProcess.RunHereAsync(request.Tenant, ProcessorUse.Query, run.Finish, bound.Token).ConfigureAwait(false)
                    : await ProcessorShares.OfProcess.RunAsync(request.Tenant, ProcessorUse.Query, run.Finish, bound.Token).ConfigureAwait(false);
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
    }

    private async Task<FragmentResult[][]> RunAsync(QueryPlan plan, QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation)
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
                Plan = plan.Fragments[i].Body,
            };
            running[i] = new Task<FragmentResult>[leaves.Count];
            for (var leaf = 0; leaf < leaves.Count; leaf++)
            {
                running[i][leaf] = leaves[leaf].RunAsync(fragment, cancellation).AsTask();
            }
        }

        try
        {
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

    private static void Dispose(FragmentResult[] answers)
    {
        foreach (var answer in answers)
        {
            answer.Dispose();
        }
    }

    private static string TypeName(ValueType type) => type == ValueType.Matrix ? "range vector" : type.ToString().ToLowerInvariant();
}
