using System.Collections.Concurrent;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The elections of all tenants, in a process that is alone: answers at once.</summary>
public sealed class LocalElector(TimeProvider time) : IReplicaElector
{
    private readonly ConcurrentDictionary<TenantId, ReplicaElector> tenants = new();

    /// <inheritdoc/>
    public ValueTask<ReplicaElection> HearAsync(TenantId tenant, ReplicaSighting seen, CancellationToken cancellation) =>
        ValueTask.FromResult(tenants.GetOrAdd(tenant, static (_, clock) => new ReplicaElector(clock), time).Hear(seen));
}
