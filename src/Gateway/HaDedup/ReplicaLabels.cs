using System.Text;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.HaDedup;

/// <summary>The two labels by which pairs of senders say which set they belong to and which of it they are.</summary>
/// <param name="Cluster">The label that all replicas of a set share.</param>
/// <param name="Replica">The label that tells them apart; it is not stored.</param>
internal sealed record ReplicaLabels(string Cluster, string Replica)
{
    private readonly byte[] cluster = Encoding.UTF8.GetBytes(Cluster);
    private readonly byte[] replica = Encoding.UTF8.GetBytes(Replica);

    /// <summary>Equal when the names are.</summary>
    public bool Equals(ReplicaLabels? other) => other is not null && Cluster == other.Cluster && Replica == other.Replica;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Cluster, Replica);

    /// <summary>Finds both values; false when one of them is missing, and then the series is no pair's.</summary>
    public bool TryFind<TFormat>(ReadOnlySpan<byte> rawLabels, out string clusterValue, out string replicaValue)
        where TFormat : struct, ILabelFormat
    {
        ReadOnlySpan<byte> foundCluster = default, foundReplica = default;
        while (TFormat.TryNext(ref rawLabels, out var name, out var value))
        {
            if (name.SequenceEqual(cluster))
            {
                foundCluster = value;
            }
            else if (name.SequenceEqual(replica))
            {
                foundReplica = value;
            }
        }

        var found = !foundCluster.IsEmpty && !foundReplica.IsEmpty;
        clusterValue = found ? Encoding.UTF8.GetString(foundCluster) : "";
        replicaValue = found ? Encoding.UTF8.GetString(foundReplica) : "";
        return found;
    }

    /// <summary>Removes the replica's label from a pair's series; others keep it.</summary>
    public void Strip(LabelsBuilder labels)
    {
        if (!labels.Get(cluster).IsEmpty)
        {
            labels.Remove(replica.AsSpan());
        }
    }
}
