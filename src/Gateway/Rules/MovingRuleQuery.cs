using Metrics.Cluster;
using Metrics.Model;
using Metrics.Rules;
using Metrics.Rules.Files;

namespace Metrics.Gateway.Rules;

/// <summary>A query of rules that is asked again, of the shards in force, when one of them was split or merged meanwhile: a tick must not fail for that.</summary>
/// <param name="query">Asks, each time, the shards that are in force.</param>
/// <param name="cluster">The cluster.</param>
/// <param name="tenants">Whose shards it asks.</param>
internal sealed class MovingRuleQuery(IRuleQuery query, ICluster cluster, IReadOnlyList<TenantId> tenants) : IRuleQuery
{
    /// <inheritdoc/>
    public IRuleQuery Of(RuleGroupSpec group) => this;

    /// <inheritdoc/>
    public ValueTask<RuleVector> EvaluateAsync(string text, long timeMs, CancellationToken cancellation) => AskAsync(() => query.EvaluateAsync(text, timeMs, cancellation), cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<LastSample>> LastSamplesAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation) =>
        AskAsync(() => query.LastSamplesAsync(matchers, range, cancellation), cancellation);

    private async ValueTask<T> AskAsync<T>(Func<ValueTask<T>> ask, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            var seen = new List<(ITenant Tenant, IReadOnlyList<IShard> Shards)>();
            foreach (var id in tenants)
            {
                if (await cluster.FindTenantAsync(id, cancellation) is { } tenant)
                {
                    seen.Add((tenant, tenant.Shards));
                }
            }

            try
            {
                return await ask();
            }
            catch (Exception e) when (attempt < TenantAsking.TriesMax && TenantAsking.IsMove(e))
            {
                await Task.WhenAll(seen.Select(s => s.Tenant.RefreshAsync(s.Shards, cancellation).AsTask()));
            }
        }
    }
}
