using Metrics.Cluster;
using Orleans.Concurrency;

namespace Metrics.Grains;

/// <summary>What belongs to a tenant and to no shard. The key is the tenant's name.</summary>
[Alias("metrics.tenant")]
internal interface ITenantGrain : IGrainWithStringKey
{
    /// <summary>Brings declarations of metrics that a gateway heard, as lines of a <see cref="Metrics.Cluster.MetadataBook"/>, and gives all that others brought.</summary>
    /// <param name="heard">What is new here.</param>
    /// <param name="knownVersion">The version of the book that the caller had last; nothing is sent when it has not changed.</param>
    [Alias("metadata")]
    ValueTask<MetadataReply> ExchangeMetadataAsync(Payload heard, long knownVersion);

    /// <summary>Hears of a replica of a pair of senders, and says which of the pair is listened to (<see cref="ReplicaElector"/>).</summary>
    [Alias("hear-replica")]
    [AlwaysInterleave]
    [ResponseTimeout("00:00:05")]
    ValueTask<ElectionReply> HearReplicaAsync(SightingMessage seen);

    /// <summary>Gives a silo places for series (<see cref="SeriesLedger"/>).</summary>
    /// <param name="from">The silo that asks.</param>
    /// <param name="wish">What it asks for.</param>
    [Alias("grant-series")]
    [ResponseTimeout("00:00:05")]
    ValueTask<GrantReply> GrantSeriesAsync(SiloAddress from, WishMessage wish);

    /// <summary>Deletes the tenant, when it is marked for it: one at a time in the whole cluster, because it is done here. All who ask meanwhile wait for the same.</summary>
    /// <returns>Why it is not done yet, or null when it is. The mark stays then, and another call goes on.</returns>
    [Alias("delete")]
    [AlwaysInterleave]
    [ResponseTimeout("01:00:00")]
    ValueTask<string?> DeleteAsync();
}

/// <summary>A tenant's metadata.</summary>
/// <param name="version">The version of the book, which differs between activations.</param>
/// <param name="lines">All lines; empty when the caller has this version.</param>
[GenerateSerializer]
[Immutable]
[Alias("metrics.metadata-reply")]
internal readonly struct MetadataReply(long version, Payload lines)
{
    /// <summary>The version of the book.</summary>
    [Id(0)]
    public long Version { get; } = version;

    /// <summary>All lines, or none.</summary>
    [Id(1)]
    public Payload Lines { get; } = lines;
}

/// <summary>A <see cref="ReplicaSighting"/> on its way.</summary>
[GenerateSerializer]
[Immutable]
[Alias("metrics.replica-sighting")]
internal readonly struct SightingMessage(ReplicaSighting seen)
{
    /// <summary>The name that the pair shares.</summary>
    [Id(0)]
    public string Cluster { get; } = seen.Cluster;

    /// <summary>Which of the two it was.</summary>
    [Id(1)]
    public string Replica { get; } = seen.Replica;

    /// <summary>Which one the gateway listens to; null when it does not know.</summary>
    [Id(2)]
    public string? Known { get; } = seen.Known;

    /// <summary>How long the elected one may be silent.</summary>
    [Id(3)]
    public TimeSpan Failover { get; } = seen.Failover;

    /// <summary>The most pairs of the tenant.</summary>
    [Id(4)]
    public int MaxClusters { get; } = seen.MaxClusters;

    /// <summary>What was sent.</summary>
    public ReplicaSighting ToSighting() => new(Cluster, Replica, Known, Failover, MaxClusters);
}

/// <summary>A <see cref="ReplicaElection"/> on its way.</summary>
[GenerateSerializer]
[Immutable]
[Alias("metrics.replica-election")]
internal readonly struct ElectionReply(ReplicaElection election)
{
    /// <summary>The replica listened to; null when there is no room for the pair.</summary>
    [Id(0)]
    public string? Elected { get; } = election.Elected;

    /// <summary>For so long no other one is elected.</summary>
    [Id(1)]
    public TimeSpan HoldsFor { get; } = election.HoldsFor;

    /// <summary>True when this question has replaced the one before.</summary>
    [Id(2)]
    public bool IsFailover { get; } = election.IsFailover;

    /// <summary>What was sent.</summary>
    public ReplicaElection ToElection() => new(Elected, HoldsFor, IsFailover);
}

/// <summary>A <see cref="SeriesGrant"/> on its way.</summary>
[GenerateSerializer]
[Immutable]
[Alias("metrics.series-grant")]
internal readonly struct GrantReply(SeriesGrant grant)
{
    /// <summary>How many places the silo has besides those that it had.</summary>
    [Id(0)]
    public long Added { get; } = grant.Added;

    /// <summary>Places that others have.</summary>
    [Id(1)]
    public long OfOthers { get; } = grant.OfOthers;

    /// <summary>Later grants have higher ones.</summary>
    [Id(2)]
    public long Version { get; } = grant.Version;

    /// <summary>What was sent.</summary>
    public SeriesGrant ToGrant() => new(Added, OfOthers, Version);
}

/// <summary>A <see cref="SeriesWish"/> on its way.</summary>
[GenerateSerializer]
[Immutable]
[Alias("metrics.series-wish")]
internal readonly struct WishMessage(SeriesWish wish)
{
    /// <summary>Series held.</summary>
    [Id(0)]
    public long Used { get; } = wish.Used;

    /// <summary>How many more could be used.</summary>
    [Id(1)]
    public long Wanted { get; } = wish.Wanted;

    /// <summary>Places, those used included.</summary>
    [Id(4)]
    public long Places { get; } = wish.Places;

    /// <summary>The tenant's limit.</summary>
    [Id(2)]
    public long Most { get; } = wish.Most;

    /// <summary>True when shards came or went.</summary>
    [Id(3)]
    public bool HasMoved { get; } = wish.HasMoved;

    /// <summary>What was sent.</summary>
    public SeriesWish ToWish() => new(Used, Places, Wanted, Most, HasMoved);
}
