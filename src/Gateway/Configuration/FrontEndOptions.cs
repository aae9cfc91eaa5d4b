namespace Metrics.Gateway.Configuration;

/// <summary>What stands between the query API and the engine: splitting, the results cache, the slow-query log.</summary>
public sealed class FrontEndOptions
{
    /// <summary>Range queries are answered in parts that end at multiples of this since the epoch. A day, as in Thanos and Mimir: a cached day serves every later dashboard that shows it.</summary>
    [Setting("Range queries are split at multiples of this; 0 for not at all.", Min = "0", Max = "1y")]
    public TimeSpan SplitInterval { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Instant queries over longer ranges than two of these are split at multiples of it where the parts have the answer, and what can't change any more of them is cached: a panel that shows a month costs a day.</summary>
    [Setting("Instant queries such as max_over_time(m[30d]) are split at multiples of this; 0 for not at all.", Min = "0", Max = "1y")]
    public TimeSpan SplitInstantInterval { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Split <c>sum_over_time</c> too. Parts are rounded each by itself, so the last digits may be others than Prometheus's, and that is why it is off.</summary>
    [Setting("Split sum_over_time of instant queries too, whose last digits may then differ.")]
    public bool SplitSums { get; set; }

    /// <summary>Parts of one query evaluated at once. Shards work side by side within a part already, so few are enough; each may hold <c>query.max_samples</c>.</summary>
    [Setting("Parts of a query evaluated at once.", Min = "1", Max = "64")]
    public int MaxParallelParts { get; set; } = 2;

    /// <summary>Keep answers of range queries for the steps that can't change any more.</summary>
    [Setting("Keep results of range queries that can't change any more in memory.")]
    public bool ResultsCache { get; set; } = true;

    /// <summary>Memory for results: 250 MiB is Thanos's default; 0 is no bound.</summary>
    [Setting("The most memory for cached results; 0 for no bound.", Min = "0", Max = "1000GiB")]
    public ByteSize CacheMaxSize { get; set; } = new(250L << 20);

    /// <summary>Cached results, each a part of one query; 0 is no bound.</summary>
    [Setting("The most cached results; 0 for no bound.", Min = "0", Max = "1000000000")]
    public long CacheMaxItems { get; set; }

    /// <summary>Age at which a result is computed anew although nothing is known to have changed; 0 is never.</summary>
    [Setting("How long a cached result may be used; 0 for as long as it is true.", Min = "0", Max = "1y")]
    public TimeSpan CacheValidity { get; set; }

    /// <summary>Queries that take at least this long are logged with what they cost; 10 s, as in Mimir. 0 logs none.</summary>
    [Setting("Queries that take at least this long are logged; 0 logs none.", Min = "0", Max = "1d")]
    public TimeSpan SlowQueryThreshold { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A header that names who asks, for that log, where requests come through something that knows its users, as Grafana with <c>send_user_header</c>; empty for the name of the credentials that a request comes with.</summary>
    [Setting("A header that names who asks, for the log of slow queries; empty for the name of the credentials.")]
    public string UserHeader { get; set; } = "X-Grafana-User";
}
