using System.Globalization;
using System.Runtime.ExceptionServices;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Telemetry;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Answers range queries in parts: from the results cache as far as it knows, from the engine for the rest.</summary>
/// <remarks>
/// <code>
///   steps     |·········|·········|·········|····        | multiples of the split interval
///   cached        ██████ █████████ ████                  what was asked before and can't have changed
///   evaluated  ███                      █████ ████       the gaps, each a query of its own
///   kept       ███                      █████ ██         as far as it is settled
/// </code>
/// The answer is that of one evaluation over all steps, to the byte: a step's result depends on no other step. Where that can't be told from the parts (remarks, whose order and number belong to
/// the whole, and failures), or isn't so (see <see cref="QueryReach"/>), the query is evaluated as a whole.
/// </remarks>
internal sealed class RangeQueries(ResultCache? cache, FrontEndOptions options, EngineOptions engine, FrontEndInstruments instruments, TimeProvider time)
{
    /// <summary>Answers a query over a tenant's shards.</summary>
    /// <param name="tenant">Whose data.</param>
    /// <param name="query">A range query.</param>
    /// <param name="shards">The tenant's shards.</param>
    /// <param name="chosen">Evaluates.</param>
    /// <param name="parallel">Parts evaluated at once.</param>
    /// <param name="mayCache">False when the client wants nothing of the cache, nor in it.</param>
    /// <param name="cancellation">Ends it.</param>
    public async ValueTask<QueryResult> AnswerAsync(TenantId tenant, QueryRequest query, IReadOnlyList<IShard> shards, ChosenExecution chosen, int parallel, bool mayCache, CancellationToken cancellation)
    {
        // The engine says what is wrong with a query that can't be asked in parts.
        var expression = PromQLParser.Parse(query.Query, engine.Parsing);
        query = query with { Expression = expression };
        var reach = QueryReach.Of(expression, query.LookbackMs ?? engine.LookbackMs);
        var widthMs = TimeGridPart.SplitWidthMs((long)options.SplitInterval.TotalMilliseconds, Math.Max(1, query.Grid.StepMs));
        if (query.PerStepStatistics || query.Analyze || !reach.IsSplittable || query.Grid.Count == 1 || shards.Count == 0 || expression.Type is not (ValueType.Scalar or ValueType.Vector))
        {
            return await chosen.ExecuteAsync(query, shards, cancellation);
        }

        var steps = TimeGridPart.Of(query.Grid);
        var key = KeyOf(query, expression);
        var (history, isAway) = cache is not null && mayCache ? await TenantHistory.ReadAsync(shards, cancellation) : (null, false);
        if (cache?.IsRemarked(tenant, key) == true || (isAway && chosen.IsPartial))
        {
            return await chosen.ExecuteAsync(query, shards, cancellation);
        }

        var plan = new List<Piece>();
        foreach (var (number, part) in steps.Split(widthMs))
        {
            Cover(part, new CacheKey(tenant, key, number), history, plan);
        }

        instruments.OnPlanned(plan.Sum(p => p.Cached is null ? 0 : p.Steps.Count), steps.Count);
        if (plan is [{ Cached: null }])
        {
            return await WholeAsync(plan[0], tenant, key, query, shards, chosen, reach, history, cancellation);
        }

        try
        {
            if (await EvaluateAsync(plan, query, shards, chosen, parallel, cancellation) && !query.Bounds.MayExceed(plan.Where(static p => p.Evaluated is not null).Select(static p => p.Evaluated!.Statistics)))
            {
                if (!plan.Exists(static p => p.Evaluated is { } result && IsRemarked(result)))
                {
                    return Merged(plan, query, reach, history);
                }

                chosen.Remark(cache, tenant, key);
            }
        }
        finally
        {
            foreach (var piece in plan)
            {
                piece.Evaluated?.Dispose();
            }
        }

        return await chosen.ExecuteAsync(query, shards, cancellation);

        string KeyOf(QueryRequest of, Expr parsed) => string.Create(
            CultureInfo.InvariantCulture,
            $"{of.Grid.StepMs} {((of.Grid.StartMs % of.Grid.StepMs) + of.Grid.StepMs) % of.Grid.StepMs} {of.LookbackMs ?? engine.LookbackMs} {of.MaxResolutionMs} {widthMs} {LabelsText.Quote(chosen.Key)} {Printer.Print(parsed)}");
    }

    /// <summary>Makes the pieces of a part: what is cached, and the gaps between.</summary>
    private void Cover(TimeGridPart part, CacheKey key, TenantHistory? history, List<Piece> into)
    {
        var from = part.StartMs;
        foreach (var extent in history is null ? [] : cache!.Find(key, history.Stamp))
        {
            var start = Math.Max(from, extent.Steps.StartMs);
            var end = Math.Min(part.EndMs, extent.Steps.EndMs);
            if (start > end)
            {
                continue;
            }

            if (start > from)
            {
                into.Add(new Piece(key, part with { StartMs = from, EndMs = start - part.StepMs }, null));
            }

            into.Add(new Piece(key, part with { StartMs = start, EndMs = end }, extent));
            from = end + part.StepMs;
        }

        if (from <= part.EndMs)
        {
            into.Add(new Piece(key, part with { StartMs = from }, null));
        }
    }

    private async ValueTask<QueryResult> WholeAsync(
        Piece piece, TenantId tenant, string key, QueryRequest query, IReadOnlyList<IShard> shards, ChosenExecution chosen, QueryReach reach, TenantHistory? history, CancellationToken cancellation)
    {
        var result = await chosen.ExecuteAsync(query with { Limit = 0 }, shards, cancellation);
        if (IsRemarked(result))
        {
            chosen.Remark(cache, tenant, key);
        }
        else if (history is not null)
        {
            Keep(piece, result, reach, history);
        }

        return ResultMerge.Limited(result, query.Limit);
    }

    /// <summary>Evaluates the gaps; false when the query has to be evaluated as a whole.</summary>
    private async ValueTask<bool> EvaluateAsync(List<Piece> plan, QueryRequest query, IReadOnlyList<IShard> shards, ChosenExecution chosen, int parallel, CancellationToken cancellation)
    {
        Exception? failure = null;
        try
        {
            await Parallel.ForEachAsync(plan.Where(p => p.Cached is null), new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancellation }, async (piece, stop) =>
            {
                try
                {
                    piece.Evaluated = await chosen.ExecuteAsync(query with { Grid = piece.Steps.Grid, Limit = 0 }, shards, stop);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref failure, e, null);
                    throw;
                }
            });
            return true;
        }
        catch (Exception) when (failure is QueryException { Kind: QueryErrorKind.Execution } && !cancellation.IsCancellationRequested)
        {
            // Which of several mistakes in the data is told is the whole query's to say.
            return false;
        }
        catch (Exception) when (failure is not null)
        {
            // The others were cancelled for its sake.
            ExceptionDispatchInfo.Throw(failure);
            throw;
        }
    }

    private QueryResult Merged(List<Piece> plan, QueryRequest query, QueryReach reach, TenantHistory? history)
    {
        var merge = new ResultMerge(query.Bounds.SamplesUnder(engine.MaxSamples), query.Bounds, engine.Memory.Open(query.Bounds));
        try
        {
            foreach (var piece in plan)
            {
                if (piece.Evaluated is { } result)
                {
                    merge.Add(result);
                    if (history is not null)
                    {
                        Keep(piece, result, reach, history);
                    }
                }
                else
                {
                    merge.Add(piece.Cached!, piece.Steps);
                }
            }

            return merge.Finish(query);
        }
        catch
        {
            merge.Dispose();
            throw;
        }
    }

    private void Keep(Piece piece, QueryResult result, QueryReach reach, TenantHistory history)
    {
        var settled = piece.Steps;
        while (settled.EndMs >= settled.StartMs && !reach.IsSettled(settled.EndMs, history.SettledBeforeMs))
        {
            settled = settled with { EndMs = settled.EndMs - settled.StepMs };
        }

        if (settled.EndMs >= settled.StartMs)
        {
            cache!.Put(piece.Key, history.Stamp, CachedExtent.Of(result, piece.Steps, settled, time.GetUtcNow()));
        }
    }

    private static bool IsRemarked(QueryResult result) => result.Warnings.Count + result.Infos.Count > 0;

    /// <summary>Steps that are answered together: by an extent of the cache, or by the engine.</summary>
    private sealed class Piece(CacheKey key, TimeGridPart steps, CachedExtent? cached)
    {
        public CacheKey Key { get; } = key;

        public TimeGridPart Steps { get; } = steps;

        public CachedExtent? Cached { get; } = cached;

        public QueryResult? Evaluated { get; set; }
    }
}
