using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Where things lie in object storage. Block folders are where Mimir has them; drawn in FORMAT.md.</summary>
internal static class BucketKeys
{
    /// <summary>The folder of a block, ending in a slash.</summary>
    public static string Block(TenantId tenant, string ulid) => $"{tenant}/{ulid}/";

    /// <summary>The folder of what shards of a tenant have beside their blocks, ending in a slash.</summary>
    public static string Shards(TenantId tenant) => $"{tenant}/shards/";

    /// <summary>A shard's manifest.</summary>
    public static string Manifest(ShardId shard) => $"{shard.Tenant}/shards/{shard.Range}/manifest.json";

    /// <summary>The folder of the notes of uploads that have begun, ending in a slash.</summary>
    public static string Uploads(ShardId shard) => $"{shard.Tenant}/shards/{shard.Range}/uploads/";

    /// <summary>The note that the upload of a block has begun: by it, what a crash leaves half uploaded is found without listing every block.</summary>
    public static string Upload(ShardId shard, string ulid) => Uploads(shard) + ulid;

    /// <summary>The folder of a replicated log's checkpoints, ending in a slash.</summary>
    public static string Checkpoints(ShardId shard) => $"{shard.Tenant}/shards/{shard.Range}/checkpoints/";

    /// <summary>The checkpoint of a log at a record, by the owner of an epoch: no two owners write the same object.</summary>
    public static string Checkpoint(ShardId shard, long epoch, long record) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Checkpoints(shard)}{epoch:D10}-{record:D20}");

    /// <summary>The folder of exemplars that a shard's parents left for it, ending in a slash.</summary>
    public static string Exemplars(ShardId child) => $"{child.Tenant}/shards/{child.Range}/exemplars/";

    /// <summary>How the names of those begin that a change left.</summary>
    public static string Exemplars(ShardId child, long announced) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Exemplars(child)}{announced:D20}-");

    /// <summary>Those of one parent.</summary>
    public static string Exemplars(ShardId child, long announced, HashRange parent) => $"{Exemplars(child, announced)}{parent}";

    /// <summary>A tenant's shard map.</summary>
    public static string ShardMap(TenantId tenant) => $"{tenant}/shards.json";
}
