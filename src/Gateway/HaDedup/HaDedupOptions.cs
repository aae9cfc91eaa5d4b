using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.HaDedup;

/// <summary>Pairs of senders that send the same: of each pair one is listened to. Names and defaults are those of Mimir's limits and HA tracker.</summary>
public sealed class HaDedupOptions
{
    /// <summary>Off by default: a label that happens to be called <c>cluster</c> must not cost samples.</summary>
    [Setting("Listen to one replica of each pair of senders only.")]
    public bool AcceptHaSamples { get; set; }

    /// <summary>The label that the replicas of a pair share.</summary>
    [Setting("Label that the replicas of a pair share.")]
    public string HaClusterLabel { get; set; } = "cluster";

    /// <summary>The label that tells them apart; it is not stored.</summary>
    [Setting("Label that tells the replicas of a pair apart; it is not stored.")]
    public string HaReplicaLabel { get; set; } = "__replica__";

    /// <summary>The other replica is listened to when nothing was heard of the elected one for so long: two scrape intervals of 15 s.</summary>
    [Setting("The other replica is listened to when the elected one was not heard for so long.", Min = "1s", Max = "1h")]
    public TimeSpan FailoverTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Pairs of a tenant, so that a label with many values cannot fill memory.</summary>
    [Setting("Pairs of senders of a tenant; writes of more are refused. 0 for no limit.", Min = "0", Max = "1000000")]
    public int HaMaxClusters { get; set; } = 100;
}
