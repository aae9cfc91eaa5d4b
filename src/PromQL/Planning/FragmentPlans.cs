using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Planning;

/// <summary>Plans of queries whose fragments came from elsewhere, the last few: the fragments of one query, and of dashboards that ask it again, are planned once. Thread-safe.</summary>
internal sealed class FragmentPlans
{
    private const int Kept = 32;

    private readonly Lock gate = new();
    private readonly RecentlyUsed<Fragment, QueryPlan> recent = new(maxBytes: 0, Kept);

    /// <summary>What a fragment evaluates.</summary>
    /// <exception cref="QueryException">Its query can't be parsed, or has no such fragment.</exception>
    public PlanNode Of(Fragment fragment, EngineOptions effective)
    {
        // All that a plan is made from; the rest tells fragments of one plan apart, or bounds them.
        var key = fragment with { Index = 0, MaxSamples = 0, MaxResolutionMs = 0, MinTimeMs = 0, Bounds = QueryBounds.None, Added = null };
        var plan = Find(key) ?? Remember(key, Make(fragment, effective));
        return fragment.Index < plan.Fragments.Count
            ? plan.Fragments[fragment.Index].Body
            : throw new QueryException(QueryErrorKind.BadData, $"fragment {fragment.Index} of {plan.Fragments.Count} of {fragment.Query}");
    }

    private static QueryPlan Make(Fragment fragment, EngineOptions effective)
    {
        try
        {
            return QueryPlan.Make(PromQLParser.Parse(fragment.Query, ParseOptions.All), fragment.Grid, fragment.LookbackMs, effective);
        }
        catch (PromQLParseException e)
        {
            throw new QueryException(QueryErrorKind.BadData, e.Message, e);
        }
    }

    private QueryPlan? Find(Fragment key)
    {
        lock (gate)
        {
            return recent.TryGet(key, out var plan) ? plan : null;
        }
    }

    private QueryPlan Remember(Fragment key, QueryPlan plan)
    {
        lock (gate)
        {
            recent.Set(key, plan, bytes: 0);
            return plan;
        }
    }
}
