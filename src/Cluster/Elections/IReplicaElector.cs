using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Decides, for all gateways, which replica of each pair of senders is listened to. Thread-safe.</summary>
public interface IReplicaElector
{
    /// <summary>Tells that a replica was heard, and asks which one is listened to.</summary>
    /// <exception cref="IOException">Nobody can say now.</exception>
    ValueTask<ReplicaElection> HearAsync(TenantId tenant, ReplicaSighting seen, CancellationToken cancellation);
}

/// <summary>A replica that a gateway has heard.</summary>
/// <param name="Cluster">The name that the pair shares.</param>
/// <param name="Replica">Which of the two it was.</param>
/// <param name="Known">Which one the gateway listens to, as far as it knows; null when it does not know. An elector that has never heard of the pair, as after it moved, goes by this.</param>
/// <param name="Failover">Another one is elected when nothing was heard of the elected one for longer than this.</param>
/// <param name="MaxClusters">The most pairs of the tenant; 0 for any number.</param>
public readonly record struct ReplicaSighting(string Cluster, string Replica, string? Known, TimeSpan Failover, int MaxClusters);

/// <summary>Which replica of a pair is listened to.</summary>
/// <param name="Elected">It; null when the pair is new and the tenant has as many as it may.</param>
/// <param name="HoldsFor">For so long, counted from when it was asked for, no other one is elected.</param>
/// <param name="IsFailover">True when this very question has replaced the one before.</param>
public readonly record struct ReplicaElection(string? Elected, TimeSpan HoldsFor, bool IsFailover);
