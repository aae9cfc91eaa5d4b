using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.HaDedup;

/// <summary>Pairs of senders that send the same: of each pair one is listened to. Whose pairs, and by which labels, is in <c>limits</c>.</summary>
public sealed class HaDedupOptions
{
    /// <summary>The other replica is listened to when nothing was heard of the elected one for so long: two scrape intervals of 15 s, as Mimir's HA tracker.</summary>
    [Setting("The other replica is listened to when the elected one was not heard for so long.", Min = "1s", Max = "1h")]
    public TimeSpan FailoverTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Mimir's <c>ha_tracker_update_timeout</c>: a message each 15 s for a pair and gateway, however much it writes, and once more before the other replica would be elected.</summary>
    [Setting("In a cluster, how often a gateway tells that it still hears the elected replica; at most half of failover_timeout is used.", Min = "100ms", Max = "1h")]
    public TimeSpan UpdateInterval { get; set; } = TimeSpan.FromSeconds(15);
}
