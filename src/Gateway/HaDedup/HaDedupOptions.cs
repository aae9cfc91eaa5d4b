using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.HaDedup;

/// <summary>Pairs of senders that send the same: of each pair one is listened to. Whose pairs, and by which labels, is in <c>limits</c>.</summary>
public sealed class HaDedupOptions
{
    /// <summary>The other replica is listened to when nothing was heard of the elected one for so long: two scrape intervals of 15 s, as Mimir's HA tracker.</summary>
    [Setting("The other replica is listened to when the elected one was not heard for so long.", Min = "1s", Max = "1h")]
    public TimeSpan FailoverTimeout { get; set; } = TimeSpan.FromSeconds(30);
}
