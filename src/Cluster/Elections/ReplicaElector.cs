namespace Metrics.Cluster;

/// <summary>Elects the replicas of one tenant's pairs of senders. Thread-safe.</summary>
/// <remarks>
/// The first replica of a pair to be heard is elected, and stays so until nothing was heard of it for the fail-over time; then the next to be heard is. Rules: Mimir's and Cortex's HA tracker.
/// An answer is a lease: nobody else is elected before it has run out, so that gateways which remember it may decide by themselves meanwhile. All of it is in memory: after a move the first
/// gateway that asks says whom it listens to. Bounded by the pairs that a tenant may have.
/// </remarks>
public sealed class ReplicaElector(TimeProvider time)
{
    /// <summary>A pair not heard of for so long makes room for another.</summary>
    public static readonly TimeSpan ForgetAfter = TimeSpan.FromMinutes(30);

    private readonly Lock gate = new();
    private readonly Dictionary<string, Elected> pairs = new(StringComparer.Ordinal);

    /// <summary>Hears of a replica, and says which one is elected.</summary>
    public ReplicaElection Hear(in ReplicaSighting seen)
    {
        var now = time.GetTimestamp();
        lock (gate)
        {
            if (!pairs.TryGetValue(seen.Cluster, out var elected))
            {
                if (!HasRoom(seen.MaxClusters, now))
                {
                    return default;
                }

                elected = new Elected(seen.Known ?? seen.Replica, now);
                pairs.Add(seen.Cluster, elected);
            }

            var silentFor = time.GetElapsedTime(elected.HeardAt, now);
            var isFailover = elected.Replica != seen.Replica && silentFor > seen.Failover;
            if (isFailover || elected.Replica == seen.Replica)
            {
                (elected.Replica, elected.HeardAt, silentFor) = (seen.Replica, now, TimeSpan.Zero);
            }

            return new ReplicaElection(elected.Replica, seen.Failover - silentFor, isFailover);
        }
    }

    private bool HasRoom(int maxClusters, long now)
    {
        if (maxClusters <= 0 || pairs.Count < maxClusters)
        {
            return true;
        }

        foreach (var (name, elected) in pairs)
        {
            if (time.GetElapsedTime(elected.HeardAt, now) > ForgetAfter)
            {
                // Removing the current entry does not disturb the enumeration.
                pairs.Remove(name);
            }
        }

        return pairs.Count < maxClusters;
    }

    private sealed class Elected(string replica, long heardAt)
    {
        public string Replica { get; set; } = replica;

        public long HeardAt { get; set; } = heardAt;
    }
}
