namespace Metrics.Gateway.Configuration;

/// <summary>What a query may cost. Defaults are Prometheus's unless said otherwise.</summary>
public sealed class QueryOptions
{
    /// <summary>Queries evaluated at once (<c>query.max-concurrency</c>); others wait their turn.</summary>
    [Setting("Queries evaluated at once, three quarters of them one tenant's at most; others wait.", Min = "1", Max = "10000")]
    public int MaxConcurrency { get; set; } = 20;

    /// <summary>Queries that may wait; beyond it 503. Prometheus has no such bound; a thousand waiting ones are a flood, not a dashboard.</summary>
    [Setting("Queries that may wait for their turn; beyond it 503.", Min = "0", Max = "1000000")]
    public int MaxQueued { get; set; } = 1000;

    /// <summary>The longest a query may take, waiting included (<c>query.timeout</c>). A request may ask for less, not for more.</summary>
    [Setting("The longest a query may take, waiting included.", Min = "1ms", Max = "1d")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Samples a query may hold at once (<c>query.max-samples</c>): 16 bytes each, so 800 MB at the default.</summary>
    [Setting("Samples a query may hold in memory at once.", Min = "1", Max = "100000000000")]
    public long MaxSamples { get; set; } = 50_000_000;

    /// <summary>What all queries that run may hold together, as it is estimated, 16 bytes a sample; beyond it they are turned away with 503. 0 is a third of the memory that the process may use.</summary>
    [Setting("What all queries may hold together, as it is estimated; beyond it 503. 0 for a third of the memory that the process may use.", Min = "0", Max = "100TiB")]
    public ByteSize MaxInflightBytes { get; set; }

    /// <summary>How far an instant selector looks back (<c>query.lookback-delta</c>).</summary>
    [Setting("How far an instant selector looks back for a sample.", Min = "1ms", Max = "1y")]
    public TimeSpan LookbackDelta { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The step of a subquery that names none (<c>global.evaluation_interval</c>).</summary>
    [Setting("Step of a subquery that names none.", Min = "1ms", Max = "1d")]
    public TimeSpan DefaultSubqueryStep { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Experimental parts of PromQL that are on, by the names of Prometheus's feature flags.</summary>
    [Setting("Experimental parts of PromQL to switch on, by Prometheus's feature flag names.")]
    public IReadOnlyList<string> EnableFeatures { get; set; } = [];

    /// <summary>Labels that tell the replicas of an HA pair apart, which queries merge (Thanos's <c>query.replica-label</c>); a request may name others, or <c>dedup=false</c>.</summary>
    [Setting("Labels that tell replicas apart; queries merge series that differ in nothing else.")]
    public IReadOnlyList<string> ReplicaLabels { get; set; } = [];
}
