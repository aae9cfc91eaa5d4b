using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Answers instant queries over a long range in parts: the whole intervals in it as one range query, which the results cache may know, and what is left before and behind them.</summary>
/// <remarks>
/// <code>
///   count_over_time(m[3d]) at t, split by a day
///   midnights          |            |            |            |
///   window      (                                                  t]
///   parts       ( head ](    1d     ](    1d     ](  tail         ]     windows are open on the left, so no sample is in two
/// </code>
/// What may be split, and how the parts become one, is said by <see cref="InstantSplit"/>. As in <see cref="RangeQueries"/> remarks and failures are the whole query's to tell,
/// and where there is no memory for a point of each interval, the whole takes less.
/// </remarks>
internal sealed class InstantQueries(ResultCache? cache, FrontEndOptions options, EngineOptions engine)
{
    /// <summary>Answers a query over a tenant's shards. The order of its series is that of their labels, where it was split.</summary>
    /// <param name="tenant">Whose data.</param>
    /// <param name="query">An instant query.</param>
    /// <param name="shards">The tenant's shards.</param>
    /// <param name="chosen">Evaluates.</param>
    /// <param name="rangeAsync">Answers a range query over the same shards.</param>
    /// <param name="cancellation">Ends it.</param>
    public async ValueTask<QueryResult> AnswerAsync(TenantId tenant, QueryRequest query, IReadOnlyList<IShard> shards, ChosenExecution chosen, Func<QueryRequest, ValueTask<QueryResult>> rangeAsync, CancellationToken cancellation)
    {
        var expression = PromQLParser.Parse(query.Query, engine.Parsing);
        query = query with { Expression = expression };
        if (!MaySplit(query) || shards.Count == 0 || InstantSplit.Of(expression, query.Grid.StartMs, (long)options.SplitInstantInterval.TotalMilliseconds, options.SplitSums) is not { } split)
        {
            return await chosen.ExecuteAsync(query, shards, cancellation);
        }

        return await TryJoinAsync(tenant, query, split, shards, chosen, rangeAsync, cancellation) ?? await chosen.ExecuteAsync(query, shards, cancellation);
    }

    /// <summary>The answer, from those of the parts; null when the query has to be evaluated as a whole.</summary>
    private async ValueTask<QueryResult?> TryJoinAsync(
        TenantId tenant, QueryRequest query, InstantSplit split, IReadOnlyList<IShard> shards, ChosenExecution chosen, Func<QueryRequest, ValueTask<QueryResult>> rangeAsync, CancellationToken cancellation)
    {
        var key = $"instant {LabelsText.Quote(chosen.Key)} {query.Query}";
        if (cache?.IsRemarked(tenant, key) == true || (chosen.IsPartial && (await TenantHistory.ReadAsync(shards, cancellation)).IsAway))
        {
            return null;
        }

        var answers = new List<QueryResult>(3);
        try
        {
            foreach (var part in split.Parts)
            {
                var asked = query with { Query = part.Query, Expression = null, Grid = part.Grid, IsRange = part.IsRange };
                answers.Add(part.IsRange ? await rangeAsync(asked) : await chosen.ExecuteAsync(asked, shards, cancellation));
                if (answers[^1].Warnings.Count + answers[^1].Infos.Count > 0)
                {
                    chosen.Remark(cache, tenant, key);
                    return null;
                }
            }

            return query.Bounds.MayExceed(answers.Select(static a => a.Statistics)) ? null : PartialPoints.Join(answers, split.Join, query, engine.Memory);
        }
        catch (QueryException e) when (e.Kind is QueryErrorKind.Execution or QueryErrorKind.Overloaded && !cancellation.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            answers.ForEach(static a => a.Dispose());
        }
    }

    /// <summary>Labels that the engine takes off late, or tells apart by more than the name, and samples of which only some are kept, are not the same in parts.</summary>
    private bool MaySplit(QueryRequest query) =>
        options.SplitInstantInterval > TimeSpan.Zero && query is { PerStepStatistics: false, Analyze: false, Limit: 0, MaxResolutionMs: 0 } && engine is { DelayedNameRemoval: false, TypeAndUnitLabels: false };
}
