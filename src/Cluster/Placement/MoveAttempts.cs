using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Remembers which hand-overs were asked for so that silos do about the same: one that does not come about is left out for a while, for twice as long each time it fails. Not thread-safe.</summary>
/// <param name="time">The clock.</param>
/// <param name="first">For how long a move is left out at first; longer than one takes to be seen in silos' reports.</param>
/// <param name="most">For how long at most.</param>
public sealed class MoveAttempts(TimeProvider time, TimeSpan first, TimeSpan most)
{
    private readonly Dictionary<(ShardId Shard, NodeId To), Attempt> attempts = [];

    /// <summary>Notes that a move is asked for.</summary>
    public void Note(ShardMove move)
    {
        var key = (move.Shard, move.To);
        var wait = attempts.TryGetValue(key, out var before) ? before.Wait * 2 : first;
        wait = wait < most ? wait : most;
        attempts[key] = new Attempt(wait, time.GetUtcNow() + wait);
    }

    /// <summary>Looks where shards are: what has come where it was to go is forgotten, and so is what was last tried long ago.</summary>
    public void See(IEnumerable<PlacedShard> shards)
    {
        foreach (var shard in shards)
        {
            attempts.Remove((shard.Shard, shard.Owner));
        }

        var old = time.GetUtcNow() - (2 * most);
        foreach (var (key, attempt) in attempts)
        {
            if (attempt.HeldUntil < old)
            {
                attempts.Remove(key);
            }
        }
    }

    /// <summary>True while a shard is not to be moved to a node.</summary>
    public bool IsHeld(ShardId shard, NodeId to) => attempts.TryGetValue((shard, to), out var attempt) && time.GetUtcNow() < attempt.HeldUntil;

    private sealed record Attempt(TimeSpan Wait, DateTimeOffset HeldUntil);
}
