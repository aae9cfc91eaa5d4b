using System.Collections.Concurrent;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The shards that this silo is handing over now, for its reports. Thread-safe.</summary>
public sealed class ShardMoves(TimeProvider time)
{
    private readonly ConcurrentDictionary<ShardId, ShardMoveReport> running = new();
    private readonly ConcurrentDictionary<ShardId, Task> leaving = new();

    /// <summary>The moves under way; null for none.</summary>
    public IReadOnlyList<ShardMoveReport>? Report() => running.IsEmpty ? null : [.. running.Values.OrderBy(static m => m.Since)];

    /// <summary>Notes that a shard is on its way to a node, until the answer is disposed.</summary>
    public IDisposable Begin(ShardId shard, NodeId to)
    {
        running[shard] = new ShardMoveReport(shard.Tenant.Value, shard.Range.ToString(), to.Value, time.GetUtcNow());
        return new Ending(this, shard);
    }

    /// <summary>Notes that an owner of a shard has handed it over from here, and is gone when the task ends.</summary>
    public void Leave(ShardId shard, Task gone)
    {
        leaving[shard] = gone;
        _ = gone.ContinueWith(
            (done, moves) => ((ShardMoves)moves!).leaving.TryRemove(new KeyValuePair<ShardId, Task>(shard, done)), this, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Waits until the owner that last handed a shard over from here is gone; at once for none.</summary>
    public Task LeftAsync(ShardId shard) => leaving.GetValueOrDefault(shard, Task.CompletedTask);

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
