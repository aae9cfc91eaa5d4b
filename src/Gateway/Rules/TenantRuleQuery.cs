using Metrics.Cluster;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.Rules;
using Metrics.Rules.Files;

namespace Metrics.Gateway.Rules;

/// <summary>What the rules of one tenant read: its own shards or, for a group with <c>source_tenants</c>, the union of those tenants' shards.</summary>
/// <remarks>
/// Of several tenants each series bears <c>__tenant_id__</c>; of a single one it does not, as in Mimir. Whether the tenant may read the others is asked at every query, so that
/// a permission that is taken back counts at the next tick. With <c>partial_response_strategy: warn</c> a shard that can't be read is a warning.
/// </remarks>
internal sealed class TenantRuleQuery(QueryEngine engine, RuleQueries queries, ICluster cluster, TenantId tenant, Func<RuleGroupSpec, string?> refusal) : IRuleQuery
{
    private readonly MovingRuleQuery own = new(
        new EngineRuleQuery(engine, async stop => await cluster.FindTenantAsync(tenant, stop) is { } found ? found.Shards : [], (request, leaves, stop) => queries.ExecuteAsync(tenant, engine, request, leaves, stop)), cluster, [tenant]);

    /// <inheritdoc/>
    public IRuleQuery Of(RuleGroupSpec group)
    {
        var isPartial = group.PartialResponseStrategy == "warn";
        return group.SourceTenants.Count == 0 && !isPartial ? own
            : new MovingRuleQuery(new EngineRuleQuery(engine, stop => LeavesAsync(group, isPartial, stop), (request, leaves, stop) => queries.ExecuteAsync(tenant, engine, request, leaves, stop)), cluster, Sources(group));
    }

    /// <inheritdoc/>
    public ValueTask<RuleVector> EvaluateAsync(string query, long timeMs, CancellationToken cancellation) => own.EvaluateAsync(query, timeMs, cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<LastSample>> LastSamplesAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation) =>
        own.LastSamplesAsync(matchers, range, cancellation);

    private async ValueTask<IReadOnlyList<IQueryLeaf>> LeavesAsync(RuleGroupSpec group, bool isPartial, CancellationToken cancellation)
    {
        if (refusal(group) is { } reason)
        {
            throw new RuleQueryException(reason);
        }

        var sources = Sources(group);
        var leaves = new List<IQueryLeaf>();
        foreach (var source in sources)
        {
            var label = sources.Count > 1 ? new AddedLabel(AddedLabel.Tenant, source.Value) : null;
            foreach (var shard in await cluster.FindTenantAsync(source, cancellation) is { } found ? found.Shards : [])
            {
                IQueryLeaf leaf = label is null ? shard : new LabelledLeaf(shard, label);
                leaves.Add(isPartial ? new OptionalLeaf(leaf, IsAbsence) : leaf);
            }
        }

        return leaves;
    }

    private List<TenantId> Sources(RuleGroupSpec group) => group.SourceTenants.Count == 0 ? [tenant] : [.. group.SourceTenants.Select(TenantId.Parse).Distinct()];

    private static bool IsAbsence(Exception e) => e is ShardUnavailableException { IsMoved: false } or QueryException { Kind: QueryErrorKind.Unavailable };
}
