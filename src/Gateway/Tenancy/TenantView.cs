using Metrics.Cluster;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.Tenancy;

/// <summary>One or more tenants seen as one that can only be read: their shards one after another, each as a <see cref="ShardView"/>.</summary>
/// <param name="id">What it is called.</param>
/// <param name="members">The tenants.</param>
/// <param name="tenantLabel">The label that tells them apart; null to leave series as they are.</param>
/// <param name="minTimeMs">Nothing before this instant is seen.</param>
internal sealed class TenantView(TenantId id, IReadOnlyList<ITenant> members, string? tenantLabel, long minTimeMs) : ITenant
{
    /// <inheritdoc/>
    public TenantId Id => id;

    /// <inheritdoc/>
    public IReadOnlyList<IShard> Shards { get; } =
    [
        .. from member in members
           from shard in member.Shards
           select new ShardView(shard, tenantLabel is null ? null : new AddedLabel(tenantLabel, member.Id.Value), minTimeMs),
    ];

    /// <inheritdoc/>
    public IMetricMetadata Metadata { get; } = members.Count == 1 ? members[0].Metadata : new JoinedMetadata([.. members.Select(static m => m.Metadata)]);

    /// <inheritdoc/>
    public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => throw new InvalidOperationException($"{id} is a view of tenants, and no snapshot is made of it");

    /// <summary>What senders of several tenants said.</summary>
    private sealed class JoinedMetadata(IMetricMetadata[] parts) : IMetricMetadata
    {
        public void Put(string family, MetricMetadata metadata) => throw new InvalidOperationException("a view of tenants can't be written to");

        public IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> Get(string? family, int limit, int limitPerFamily)
        {
            var all = new SortedDictionary<string, IReadOnlyList<MetricMetadata>>(StringComparer.Ordinal);
            foreach (var part in parts)
            {
                foreach (var (name, entries) in part.Get(family, limit, limitPerFamily))
                {
                    all[name] = all.TryGetValue(name, out var known) ? [.. known.Union(entries).Take(limitPerFamily > 0 ? limitPerFamily : int.MaxValue)] : entries;
                }
            }

            return limit > 0 ? all.Take(limit).ToDictionary(StringComparer.Ordinal) : all;
        }
    }
}
