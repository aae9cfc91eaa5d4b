using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>One shard as its node sees it, for status pages and for whoever balances.</summary>
/// <param name="Shard">Which.</param>
/// <param name="State">Whether it serves.</param>
/// <param name="Epoch">The owner's epoch; 0 before the log is taken over.</param>
/// <param name="NextRecord">The number that the next record will have.</param>
/// <param name="Committed">Records before this are acknowledged.</param>
/// <param name="Followers">The members of the ensemble, the owner's own replica included.</param>
/// <param name="Replay">How far the replay is, in bytes: done, and all.</param>
/// <param name="Statistics">Counts.</param>
public sealed record ShardStatus(
    ShardId Shard, ShardState State, long Epoch, long NextRecord, long Committed, IReadOnlyList<FollowerStatus> Followers, (long Done, long All) Replay, ShardStatistics Statistics);

/// <summary>Whether a shard serves.</summary>
public enum ShardState
{
    /// <summary>Its log is being taken over or replayed.</summary>
    Opening,

    /// <summary>It takes writes and answers.</summary>
    Open,

    /// <summary>Its log failed; it will be opened again here.</summary>
    Failed,

    /// <summary>It answers and takes no writes, for it is about to be split or merged.</summary>
    Sealed,

    /// <summary>It is closed here, or was lost to another owner.</summary>
    Closed,
}

/// <summary>A member of a shard's ensemble.</summary>
/// <param name="Node">Its node.</param>
/// <param name="Lag">Records that the log has and it has not acknowledged yet.</param>
/// <param name="IsWhole">True when it holds all that the log needs; false while older records are still being copied to it.</param>
/// <param name="Lost">Why it is to be replaced, or null.</param>
public sealed record FollowerStatus(NodeId Node, long Lag, bool IsWhole, string? Lost);
