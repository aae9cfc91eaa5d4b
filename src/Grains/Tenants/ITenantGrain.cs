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
