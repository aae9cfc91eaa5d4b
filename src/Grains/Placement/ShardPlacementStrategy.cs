namespace Metrics.Grains;

/// <summary>Marks grains that <see cref="ShardPlacementDirector"/> places.</summary>
[GenerateSerializer]
[Alias("metrics.shard-placement")]
internal sealed class ShardPlacementStrategy : PlacementStrategy;
