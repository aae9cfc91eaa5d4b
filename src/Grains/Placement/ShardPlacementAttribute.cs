using Orleans.Placement;

namespace Metrics.Grains;

/// <summary>Places a grain where its shard's log lies (<see cref="ShardPlacementDirector"/>).</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ShardPlacementAttribute() : PlacementAttribute(new ShardPlacementStrategy());
