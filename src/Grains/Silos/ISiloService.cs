using Orleans.Services;

namespace Metrics.Grains;

/// <summary>What silos ask of each other by address, one on each silo: messages between replicas of logs, reports, the two halves of a hand-over, what rules look like, which queries wait, and the deletion of tenants.</summary>
/// <remarks>Copying a log of some GiB takes minutes; a message to a replica is given up by its leader long before its time here.</remarks>
[Alias("metrics.silo")]
internal interface ISiloService : IGrainService
{
    /// <summary>Answers a message to this silo's replicas.</summary>
    [Alias("log")]
    [ResponseTimeout("00:00:10")]
    Task<Payload> AnswerLogAsync(Payload message);

    /// <summary>Hears how another silo is.</summary>
    [Alias("hear")]
    [ResponseTimeout("00:00:10")]
    Task HearAsync(SiloAddress from, Payload report);

    /// <summary>Copies the log of a shard, by its grain's key, that this silo will own soon.</summary>
    [Alias("catch-up")]
    [ResponseTimeout("00:15:00")]
    Task CatchUpAsync(string shard);

    /// <summary>Shows the rule groups of a tenant that this silo evaluates.</summary>
    [Alias("show-rules")]
    [ResponseTimeout("00:00:10")]
    Task<Payload> ShowRulesAsync(string tenant, string filter);

    /// <summary>Takes the rule groups of a tenant anew from the bucket.</summary>
    [Alias("reload-rules")]
    [ResponseTimeout("00:01:00")]
    Task ReloadRulesAsync(string tenant);

    /// <summary>Hands over all shards, and takes none until it is started again.</summary>
    [Alias("drain")]
    [ResponseTimeout("00:15:00")]
    Task DrainAsync();

    /// <summary>Cuts the heads of the shards that are open here into blocks, and publishes them.</summary>
    /// <returns>What went wrong, or null.</returns>
    [Alias("flush")]
    [ResponseTimeout("00:15:00")]
    Task<string?> FlushAsync();

    /// <summary>Tells what tenants, by name, have asked of this silo (<see cref="Metrics.Cluster.TenantCounts.ToBytes"/>).</summary>
    [Alias("counts")]
    [ResponseTimeout("00:00:05")]
    Task<Payload> CountsAsync(string[] tenants);

    /// <summary>Tells which queries of a tenant, or of several read as one, wait at this silo (<see cref="Metrics.Cluster.ListedQuery.ToBytes"/>).</summary>
    [Alias("queries")]
    [ResponseTimeout("00:00:05")]
    Task<Payload> QueriesAsync(string tenant);

    /// <summary>Stops a query of a tenant that waits at this silo; false when there is none.</summary>
    [Alias("stop-query")]
    [ResponseTimeout("00:00:05")]
    Task<bool> StopQueryAsync(string tenant, string id);

    /// <summary>Takes a tenant's places for series back that this silo does not use; says what it has.</summary>
    [Alias("reclaim-series")]
    [ResponseTimeout("00:00:05")]
    Task<HoldingReply> ReclaimSeriesAsync(string tenant, long since);

    /// <summary>Closes what is open here of a tenant that is being deleted, by its name, and forgets the tenant.</summary>
    [Alias("close-tenant")]
    [ResponseTimeout("00:05:00")]
    Task CloseTenantAsync(string tenant);

    /// <summary>Removes what lies here of a tenant that is closed everywhere and whose manifests are fenced.</summary>
    [Alias("remove-tenant")]
    [ResponseTimeout("00:05:00")]
    Task RemoveTenantAsync(string tenant);
}

/// <summary>A <see cref="Metrics.Cluster.SeriesHolding"/> on its way.</summary>
/// <param name="has">What is sent.</param>
[GenerateSerializer]
[Immutable]
[Alias("metrics.series-holding")]
internal readonly struct HoldingReply(Metrics.Cluster.SeriesHolding has)
{
    /// <summary>Series held.</summary>
    [Id(0)]
    public long Used { get; } = has.Used;

    /// <summary>Places, those used included.</summary>
    [Id(1)]
    public long Places { get; } = has.Places;

    /// <summary>The version of the last grant among them.</summary>
    [Id(2)]
    public long Granted { get; } = has.Granted;

    /// <summary>What was sent.</summary>
    public Metrics.Cluster.SeriesHolding ToHolding() => new(Used, Places, Granted);
}
