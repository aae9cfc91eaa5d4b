namespace Metrics.Grains;

/// <summary>The owner of a shard, wherever it is. The key is <see cref="ShardKey"/>'s.</summary>
[Alias("metrics.shard")]
internal interface IShardGrain : IGrainWithStringKey
{
    /// <summary>Carries a call of the shard's protocol to its node.</summary>
    [Alias("call")]
    ValueTask<ShardReply> CallAsync(Payload call, CancellationToken cancellation);

    /// <summary>Opens the shard, when it is not open anywhere: after its silo was lost, by whoever knows that something is left to be done for it.</summary>
    /// <returns>Why there is nothing open, or null when it is open.</returns>
    [Alias("wake")]
    ValueTask<ShardReply> WakeAsync();

    /// <summary>Hands the shard over to the silo of a node; that silo copies the log first, and only then the shard is closed here.</summary>
    /// <returns>No problem when it is there. Otherwise why it is not: because it has just set off, which passes, or because it stays.</returns>
    [Alias("move")]
    [ResponseTimeout("00:15:00")]
    ValueTask<ShardReply> MoveAsync(string node);

    /// <summary>Prepares the shard to be split or merged: puts its head into blocks, stops its writes, and seals it.</summary>
    /// <param name="announced">The version of the map that announced the change.</param>
    /// <param name="mustBeNarrow">True when no block may be shared with other shards.</param>
    /// <param name="onlyPrepares">True to do what can be done while it takes writes, and not to seal.</param>
    /// <returns>Why it is not sealed, or no problem.</returns>
    [Alias("seal")]
    [ResponseTimeout("00:30:00")]
    ValueTask<ShardReply> SealAsync(long announced, bool mustBeNarrow, bool onlyPrepares);

    /// <summary>A change is decided: a sealed shard takes writes again, or closes for good.</summary>
    [Alias("release")]
    ValueTask ReleaseAsync();
}

/// <summary>What came of a call.</summary>
/// <param name="answer">The answer, when there is one.</param>
/// <param name="problem">Why there is none, or null. Nothing was done then.</param>
/// <param name="isPassing">True when asking again soon is likely to help: the shard is on its way to another silo.</param>
/// <param name="isMoved">True when the shard was split or merged: others own its range.</param>
[GenerateSerializer]
[Immutable]
[Alias("metrics.shard-reply")]
internal readonly struct ShardReply(Payload answer, string? problem, bool isPassing, bool isMoved = false)
{
    /// <summary>The answer, when there is no problem.</summary>
    [Id(0)]
    public Payload Answer { get; } = answer;

    /// <summary>Why there is no answer, or null.</summary>
    [Id(1)]
    public string? Problem { get; } = problem;

    /// <summary>True when asking again soon is likely to help.</summary>
    [Id(2)]
    public bool IsPassing { get; } = isPassing;

    /// <summary>True when others own the shard's range.</summary>
    [Id(3)]
    public bool IsMoved { get; } = isMoved;
}
