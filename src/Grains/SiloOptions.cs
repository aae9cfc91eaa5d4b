using Metrics.Cluster;

namespace Metrics.Grains;

/// <summary>How silos of a cluster deal with each other.</summary>
public sealed class SiloOptions
{
    /// <summary>How often a silo tells the others how it is. Default 5 s: placement may be so much out of date, and a hundred silos send two thousand small messages a second.</summary>
    public TimeSpan ReportEvery { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often one silo looks whether shards are spread evenly. Default 30 s; zero for never.</summary>
    public TimeSpan BalanceEvery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>When shards are split and merged.</summary>
    public ReshardingOptions Resharding { get; init; } = new();

    /// <summary>A shard that nobody wrote to or asked for data for so long is flushed and closed. Default 1 h.</summary>
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How often one silo looks whether the blocks of closed shards want something: retention, merges. Default 8 h, by which nothing outlives its retention for long and a thousand tenants cost a request every few seconds while it lasts; zero for never.</summary>
    public TimeSpan IdleCareEvery { get; init; } = TimeSpan.FromHours(8);

    /// <summary>How often an open shard looks whether it is idle. Default 1 min.</summary>
    public TimeSpan IdleCheck { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a call waits for its shard to be opened. Default 10 s: longer than a takeover with a short log; after that senders are told to come again.</summary>
    public TimeSpan OpenPatience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a call waits for a shard that is handed over. Default 10 s.</summary>
    public TimeSpan MovePatience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long it waits before it asks again. Default 50 ms.</summary>
    public TimeSpan MoveRetry { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a silo that leaves hands over shards; what is left then is closed, and opens elsewhere. Default 60 s.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How many shards a leaving silo hands over at once. Default 4.</summary>
    public int DrainConcurrency { get; init; } = 4;

    /// <summary>How many logs a silo's replicas serve side by side. Default 16.</summary>
    public int LogLanes { get; init; } = 16;
}
