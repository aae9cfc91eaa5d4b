using System.Diagnostics;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Spans of shards and their blocks, for whoever listens to <see cref="SourceName"/>; while nobody does, none is made.</summary>
public static class ClusterTracing
{
    /// <summary>The name of the source.</summary>
    public const string SourceName = "Metrics.Cluster";

    private static readonly ActivitySource source = new(SourceName);

    /// <summary>Begins the span of a call to a shard elsewhere. <see cref="Activity.Id"/> of the one that is current then is what goes with the call (W3C).</summary>
    public static Activity? Calling(ShardId shard) => Tagged(source.HasListeners() ? source.StartActivity("shard.call", ActivityKind.Client) : null, shard);

    /// <summary>Begins the span of answering such a call; <paramref name="caller"/> is what came with it, or null.</summary>
    public static Activity? Called(ShardId shard, string? caller) =>
        Tagged(caller is not null && source.HasListeners() && ActivityContext.TryParse(caller, null, isRemote: true, out var parent) ? source.StartActivity("shard.answer", ActivityKind.Server, parent) : null, shard);

    /// <summary>Begins the span of what a shard does.</summary>
    internal static Activity? Shard(string name, ShardId shard)
    {
        if (!source.HasListeners())
        {
            return null;
        }

        return Tagged(source.StartActivity(name), shard);
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

    private static Activity? Tagged(Activity? span, ShardId shard)
    {
        if (span is { IsAllDataRequested: true })
        {
            span.SetTag("tenant", shard.Tenant.Value);
            span.SetTag("shard", shard.Range.ToString());
        }

        return span;
    }
}
