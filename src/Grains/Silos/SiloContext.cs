using Metrics.Cluster;
using Metrics.ObjectStore;

namespace Metrics.Grains;

/// <summary>What a silo was started with.</summary>
/// <param name="Card">What the others know of it.</param>
/// <param name="Store">The bucket; the caller's.</param>
/// <param name="Node">What it holds; null for one that holds no shards. The caller's.</param>
/// <param name="DataDirectory">Where a gateway without a node puts what it is asked to put on this machine too: snapshots.</param>
/// <param name="Maps">The shard maps of tenants.</param>
/// <param name="Options">How to deal with others.</param>
public sealed record SiloContext(SiloCard Card, IObjectStore Store, IShardNode? Node, string DataDirectory, TenantShardMaps Maps, SiloOptions Options);
