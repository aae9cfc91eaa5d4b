namespace Metrics.Rules.Groups;

/// <summary>Who evaluates groups: a process, and which run of it.</summary>
/// <param name="Name">The same after a restart, and only one process at a time may have it: who has it knows that an earlier run is dead. Empty when nothing sees to that.</param>
/// <param name="Run">Another one at each start: what an earlier run had claimed, it may have evaluated.</param>
public sealed record RuleOwner(string Name, string Run)
{
    /// <summary>A run of a process that is beginning.</summary>
    public static RuleOwner Beginning(string name) => new(name, Guid.NewGuid().ToString("N"));

    /// <summary>True for an earlier run of the same process: nothing of it is alive.</summary>
    internal bool Succeeds(RuleOwner other) => Name.Length > 0 && Name == other.Name && Run != other.Run;
}
