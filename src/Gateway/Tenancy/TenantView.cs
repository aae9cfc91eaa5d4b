using Metrics.Cluster;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.Tenancy;

/// <summary>One or more tenants seen as one that can only be read: their shards one after another, each as a <see cref="ShardView"/>; as they are when it is made, or later when it is told to look again.</summary>
/// <param name="id">What it is called.</param>
/// <param name="members">The tenants.</param>
/// <param name="tenantLabel">The label that tells them apart; null to leave series as they are.</param>
/// <param name="minTimeMs">Nothing before this instant is seen.</param>
internal sealed class TenantView(TenantId id, IReadOnlyList<ITenant> members, string? tenantLabel, long minTimeMs) : ITenant
{
    /// <inheritdoc/>
    public TenantId Id => id;

    private volatile Seen seen = Look(members, [.. members.Select(static m => m.Shards)], tenantLabel, minTimeMs);

    /// <inheritdoc/>
    public IReadOnlyList<IShard> Shards => seen.Views;

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<IShard>> RefreshAsync(IReadOnlyList<IShard> shards, CancellationToken cancellation)
    {
        var before = seen;
        if (ReferenceEquals(before.Views, shards))
        {
            var now = await Task.WhenAll(members.Select((m, i) => m.RefreshAsync(before.Shards[i], cancellation).AsTask()));
            if (now.Where((list, i) => !ReferenceEquals(list, before.Shards[i])).Any())
            {
                seen = Look(members, now, tenantLabel, minTimeMs);
            }
        }

        return seen.Views;
    }

    /// <inheritdoc/>
    public IMetricMetadata Metadata { get; } = members.Count == 1 ? members[0].Metadata : new JoinedMetadata([.. members.Select(static m => m.Metadata)]);

    /// <inheritdoc/>
    public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => throw new InvalidOperationException($"{id} is a view of tenants, and no snapshot is made of it");

    private static Seen Look(IReadOnlyList<ITenant> members, IReadOnlyList<IShard>[] shards, string? tenantLabel, long minTimeMs) => new(
        shards,
        [
            .. from member in Enumerable.Range(0, members.Count)
               from shard in shards[member]
               select new ShardView(shard, tenantLabel is null ? null : new AddedLabel(tenantLabel, members[member].Id.Value), minTimeMs),
        ]);

    /// <summary>The members' shards at one moment, and what is shown of them.</summary>
    private sealed record Seen(IReadOnlyList<IShard>[] Shards, IReadOnlyList<IShard> Views);

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
