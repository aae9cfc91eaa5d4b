using System.Diagnostics;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Spans of shards and their blocks, for whoever listens to <see cref="SourceName"/>; while nobody does, none is made.</summary>
public static class ClusterTracing
{
    /// <summary>The name of the source.</summary>
    public const string SourceName = "Metrics.Cluster";

    private static readonly ActivitySource source = new(SourceName);

    /// <summary>Begins the span of what a shard does.</summary>
    internal static Activity? Shard(string name, ShardId shard)
    {
        if (!source.HasListeners())
        {
            return null;
        }

        var span = source.StartActivity(name);
        if (span is { IsAllDataRequested: true })
        {
            span.SetTag("tenant", shard.Tenant.Value);
            span.SetTag("shard", shard.Range.ToString());
        }

        return span;
    }

    /// <summary>Begins the span of finding series in a block.</summary>
    internal static Activity? Block(LiveBlock block)
    {
        if (!source.HasListeners())
        {
            return null;
        }

        var span = source.StartActivity("block.select");
        if (span is { IsAllDataRequested: true })
        {
            span.SetTag("block", block.Ulid.ToString());
        }

        return span;
    }
}
