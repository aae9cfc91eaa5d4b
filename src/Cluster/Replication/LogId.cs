using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A replicated log: a shard has one at a time, and another lineage only after one was given up as lost.</summary>
/// <param name="Shard">Whose log.</param>
/// <param name="Lineage">Which of the shard's logs, as the manifest names it.</param>
public readonly record struct LogId(ShardId Shard, string Lineage)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Shard}/{Lineage}";
}
