using Metrics.Model;
using Metrics.PromQL;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Rules;

/// <summary>Reads for rules through the query engine: fragments to the tenant's leaves, as any user's query.</summary>
/// <param name="engine">The engine.</param>
/// <param name="leaves">The tenant's leaves at this moment; none when nothing was ever written.</param>
/// <param name="execute">What the engine's evaluation goes through; null for nothing.</param>
public sealed class EngineRuleQuery(QueryEngine engine, Func<CancellationToken, ValueTask<IReadOnlyList<IQueryLeaf>>> leaves, RuleQueryExecution? execute = null) : IRuleQuery
{
    /// <inheritdoc/>
    public async ValueTask<RuleVector> EvaluateAsync(string query, long timeMs, CancellationToken cancellation)
    {
        using var result = await RunAsync(query, timeMs, null, cancellation);
        if (result.Type is not (ValueType.Vector or ValueType.Scalar))
        {
            throw new RuleQueryException("rule result is not a vector or scalar");
        }

        var samples = new RuleSample[result.Series.Count];
        for (var i = 0; i < samples.Length; i++)
        {
            var (labels, points) = result.Series[i];
            var histogram = points.HasHistograms ? points.Histograms[0] : null;
            samples[i] = new RuleSample(labels, histogram is null ? points.Values[0] : 0, histogram);
        }

        return new RuleVector(samples) { Warnings = result.Warnings, Infos = result.Infos };
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A range selector shows the last sample that is no stale marker. Whether a marker follows it within the lookback is seen by asking for the series as an
    /// instant vector a lookback later: it is gone then.
    /// </remarks>
    public async ValueTask<IReadOnlyList<LastSample>> LastSamplesAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation)
    {
        var selector = $"{{{string.Join(',', matchers)}}}";
        var last = new List<LastSample>();
        using (var result = await RunAsync($"{selector}[{range.MaxMs - range.MinMs + 1}ms]", range.MaxMs, null, cancellation))
        {
            foreach (var (labels, points) in result.Series)
            {
                if (points.Count > 0 && !points.HasHistograms)
                {
                    last.Add(new LastSample(labels, points.Times[^1], points.Values[^1]));
                }
            }
        }

        foreach (var together in last.ToLookup(static s => s.TimeMs))
        {
            var untilMs = Math.Min(range.MaxMs, together.Key + engine.Options.LookbackMs - 1);
            using var result = await RunAsync(selector, untilMs, engine.Options.LookbackMs, cancellation);
            var alive = result.Series.Select(static s => s.Labels).ToHashSet();
            for (var i = 0; i < last.Count; i++)
            {
                if (last[i].TimeMs == together.Key && !alive.Contains(last[i].Labels))
                {
                    last[i] = last[i] with { Value = StaleMarker.Value };
                }
            }
        }

        return last;
    }

    private async ValueTask<QueryResult> RunAsync(string query, long timeMs, long? lookbackMs, CancellationToken cancellation) =>
        await (execute ?? engine.ExecuteAsync)(new QueryRequest(query, TimeGrid.Instant(timeMs), IsRange: false) { LookbackMs = lookbackMs }, await leaves(cancellation), cancellation);
}

/// <summary>Evaluates a rule's query over leaves: the engine's <see cref="QueryEngine.ExecuteAsync"/>, or what stands before it.</summary>
public delegate ValueTask<QueryResult> RuleQueryExecution(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation);
