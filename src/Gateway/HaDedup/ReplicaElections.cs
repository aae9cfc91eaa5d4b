using System.Collections.Concurrent;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;

namespace Metrics.Gateway.HaDedup;

/// <summary>Which replica of each pair of senders is listened to. Thread-safe.</summary>
/// <remarks>
/// The first replica of a cluster to be heard is elected, and stays so until nothing was heard of it for the fail-over time; then the next to be heard is. Rules: Mimir's and Cortex's HA tracker.
/// Kept in memory: after a start the first to be heard is elected, which costs no sample, for a sender repeats what was not acknowledged and both replicas send the same series. Bounded by the clusters a tenant may have.
/// </remarks>
internal sealed class ReplicaElections(TimeProvider time, TimeSpan failover)
{
    /// <summary>A cluster not heard of for so long makes room for another.</summary>
    private static readonly TimeSpan forgetAfter = TimeSpan.FromMinutes(30);

    private readonly ConcurrentDictionary<TenantId, Dictionary<string, Elected>> tenants = new();

    /// <summary>Elections so far that went to another replica than before.</summary>
    public long Failovers { get; private set; }

    /// <summary>Hears of a replica; true when it is the elected one of its cluster.</summary>
    /// <exception cref="WriteRefusal">400: the cluster is new and the tenant has as many as it may.</exception>
    public bool Admits(TenantId tenant, string cluster, string replica, int maxClusters)
    {
        var clusters = tenants.GetOrAdd(tenant, static _ => new Dictionary<string, Elected>(StringComparer.Ordinal));
        var now = time.GetTimestamp();
        lock (clusters)
        {
            if (!clusters.TryGetValue(cluster, out var elected))
            {
                MakeRoom(clusters, tenant, cluster, maxClusters, now);
                clusters.Add(cluster, new Elected(replica, now));
                return true;
            }

            if (elected.Replica == replica)
            {
                elected.HeardAt = now;
                return true;
            }

            if (time.GetElapsedTime(elected.HeardAt, now) <= failover)
            {
                return false;
            }

            elected.Replica = replica;
            elected.HeardAt = now;
            Failovers++;
            return true;
        }
    }

    /// <summary>The clusters of a tenant, each with the replica elected and how long ago it was heard; a copy, for status pages.</summary>
    public IReadOnlyList<(string Cluster, string Replica, TimeSpan Ago)> Of(TenantId tenant)
    {
        if (!tenants.TryGetValue(tenant, out var clusters))
        {
            return [];
        }

        lock (clusters)
        {
            return [.. clusters.Select(c => (c.Key, c.Value.Replica, time.GetElapsedTime(c.Value.HeardAt)))];
        }
    }

    private void MakeRoom(Dictionary<string, Elected> clusters, TenantId tenant, string cluster, int maxClusters, long now)
    {
        if (maxClusters <= 0 || clusters.Count < maxClusters)
        {
            return;
        }

        foreach (var (name, elected) in clusters)
        {
            if (time.GetElapsedTime(elected.HeardAt, now) > forgetAfter)
            {
                // Removing the current entry does not disturb the enumeration.
                clusters.Remove(name);
            }
        }

        if (clusters.Count >= maxClusters)
        {
            throw new WriteRefusal(StatusCodes.Status400BadRequest, $"tenant {tenant} exceeds its limit ha_max_clusters of {maxClusters} clusters of replicas, got cluster '{cluster[..Math.Min(cluster.Length, 200)]}' (err-mimir-too-many-ha-clusters)");
        }
    }

    private sealed class Elected(string replica, long heardAt)
    {
        public string Replica { get; set; } = replica;

        public long HeardAt { get; set; } = heardAt;
    }
}
