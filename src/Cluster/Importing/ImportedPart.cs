using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What the parts are described as that a block of another program is split into.</summary>
internal static class ImportedPart
{
    /// <summary>The labels that the block's series get: those of its <c>thanos</c> section, save those that begin with <c>__</c> and our own blocks', which name tenant and shard.</summary>
    public static Dictionary<string, string> ExternalLabels(BlockMeta meta, bool isKept)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        if (isKept && meta.Thanos is { } thanos && meta.Metrics is null)
        {
            foreach (var (name, value) in thanos.Labels)
            {
                if (!name.StartsWith("__", StringComparison.Ordinal))
                {
                    labels.Add(name, value);
                }
            }
        }

        return labels;
    }

    /// <summary>The part for a shard.</summary>
    public static BlockDescription Description(BlockMeta from, ShardId shard) => new()
    {
        Compaction = from.Compaction with { Sources = from.Compaction.Sources ?? [from.Ulid.ToString()], Parents = null, Hints = null },
        Thanos = new ThanosMeta
        {
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["tenant_id"] = shard.Tenant.Value, ["shard"] = shard.Range.ToString() },
            Source = "metrics",
            Downsample = from.Thanos?.Downsample ?? new(0),
        },
        Metrics = new MetricsMeta { HashRange = shard.Range.ToString() },
    };
}
