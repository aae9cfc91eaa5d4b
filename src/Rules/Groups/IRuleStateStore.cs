namespace Metrics.Rules.Groups;

/// <summary>Where the state of groups outlives its owner.</summary>
/// <remarks>
/// Saved after every tick. An implementation that fences (a compare-and-swap upon what this owner knows) makes a stale owner stop at its first save:
/// <see cref="SaveAsync"/> then throws <see cref="OperationCanceledException"/>.
/// </remarks>
public interface IRuleStateStore
{
    /// <summary>The state that was saved last; null when there is none. A save after it replaces this one, or is refused.</summary>
    ValueTask<GroupState?> LoadAsync(string groupKey, CancellationToken cancellation);

    /// <summary>Replaces the state.</summary>
    /// <exception cref="OperationCanceledException">Someone else has saved the state since it was last loaded or saved here.</exception>
    ValueTask SaveAsync(string groupKey, GroupState state, CancellationToken cancellation);

    /// <summary>Forgets the state of a group that is gone.</summary>
    ValueTask RemoveAsync(string groupKey, CancellationToken cancellation);
}
