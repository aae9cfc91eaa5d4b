using System.Collections.Concurrent;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The shards that this silo is handing over now, for its reports. Thread-safe.</summary>
public sealed class ShardMoves(TimeProvider time)
{
    private readonly ConcurrentDictionary<ShardId, ShardMoveReport> running = new();

    /// <summary>The moves under way; null for none.</summary>
    public IReadOnlyList<ShardMoveReport>? Report() => running.IsEmpty ? null : [.. running.Values.OrderBy(static m => m.Since)];

    /// <summary>Notes that a shard is on its way to a node, until the answer is disposed.</summary>
    public IDisposable Begin(ShardId shard, NodeId to)
    {
        running[shard] = new ShardMoveReport(shard.Tenant.Value, shard.Range.ToString(), to.Value, time.GetUtcNow());
        return new Ending(this, shard);
    }

    private sealed class Ending(ShardMoves moves, ShardId shard) : IDisposable
    {
        public void Dispose() => moves.running.TryRemove(shard, out _);
    }
}

/// <summary>A shard in a silo's report that it hands over.</summary>
/// <param name="Tenant">Its tenant.</param>
/// <param name="Range">Its hash range.</param>
/// <param name="To">The node that gets it, and copies its log first.</param>
/// <param name="Since">When it began.</param>
public sealed record ShardMoveReport(string Tenant, string Range, string To, DateTimeOffset Since);
