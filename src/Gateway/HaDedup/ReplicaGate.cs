using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.HaDedup;

/// <summary>Leaves out requests of replicas that are not elected. A request is taken to be one replica's, as its first series says, for a sender puts its labels on all it sends. One request's.</summary>
internal sealed class ReplicaGate(ReplicaElections elections, TenantId tenant, ReplicaLabels labels, int maxClusters) : ISeriesGate
{
    private Task<bool>? asked;

    /// <inheritdoc/>
    public bool Admits<TFormat>(ReadOnlySpan<byte> rawLabels)
        where TFormat : struct, ILabelFormat
    {
        if (!labels.TryFind<TFormat>(rawLabels, out var cluster, out var replica))
        {
            return true;
        }

        var answer = elections.AdmitsAsync(tenant, cluster, replica, maxClusters);
        if (answer.IsCompleted)
        {
            return answer.GetAwaiter().GetResult();
        }

        asked = answer.AsTask();
        return true;
    }

    /// <inheritdoc/>
    public ValueTask<bool> IsAdmittedAsync(CancellationToken cancellation) => asked is null ? ValueTask.FromResult(true) : new(asked.WaitAsync(cancellation));
}
