using System.Text.Json.Serialization;

namespace Metrics.Cluster;

/// <summary>How far a split or merge is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ShardChangeStep>))]
public enum ShardChangeStep
{
    /// <summary>The tenant's map is about to announce it.</summary>
    Announcing,

    /// <summary>The parents put their heads into blocks and then take no more writes.</summary>
    Sealing,

    /// <summary>The children get their manifests.</summary>
    MakingChildren,

    /// <summary>The map is swapped.</summary>
    Deciding,

    /// <summary>The children open, the parents go; or the parents open again.</summary>
    Adopting,
}

/// <summary>A split or merge that is under way.</summary>
/// <param name="Tenant">Whose shards.</param>
/// <param name="Parents">The ranges that go.</param>
/// <param name="Children">The ranges that come.</param>
/// <param name="Step">How far it is.</param>
/// <param name="Since">When it was begun.</param>
public sealed record ShardChangeStatus(string Tenant, IReadOnlyList<string> Parents, IReadOnlyList<string> Children, ShardChangeStep Step, DateTimeOffset Since);

/// <summary>What became of splits and merges.</summary>
/// <param name="Splits">Splits done.</param>
/// <param name="Merges">Merges done.</param>
/// <param name="Failures">Of either, those that were given up.</param>
public readonly record struct ReshardingCounts(long Splits, long Merges, long Failures);
