using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.HaDedup;

/// <summary>Leaves out requests of replicas that are not elected. A request is taken to be one replica's, as its first series says, for a sender puts its labels on all it sends.</summary>
internal sealed class ReplicaGate(ReplicaElections elections, TenantId tenant, ReplicaLabels labels, int maxClusters) : ISeriesGate
{
    /// <inheritdoc/>
    public bool Admits<TFormat>(ReadOnlySpan<byte> rawLabels)
        where TFormat : struct, ILabelFormat =>
        !labels.TryFind<TFormat>(rawLabels, out var cluster, out var replica) || elections.Admits(tenant, cluster, replica, maxClusters);
}
