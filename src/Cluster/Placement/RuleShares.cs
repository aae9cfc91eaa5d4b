using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Which of several processes evaluates a rule group: rendezvous hashing, so that one that comes or goes moves only its own share.</summary>
/// <remarks>A group is drawn by tenant and name alone, so that one that moves to another file or namespace stays where its state is; groups of one name in many files share an evaluator.</remarks>
/// <param name="Self">This process; empty for one that evaluates nothing.</param>
/// <param name="Evaluators">The processes that evaluate rules, by names that are the same after a restart.</param>
public sealed record RuleShares(string Self, IReadOnlyList<string> Evaluators)
{
    /// <summary>The process that evaluates a group; empty when there is none.</summary>
    public string OwnerOf(TenantId tenant, string group)
    {
        var (owner, best) = ("", 0ul);
        foreach (var evaluator in Evaluators)
        {
            var score = Rendezvous.Score(tenant.Value, group, evaluator);
            if (owner.Length == 0 || score > best || (score == best && string.CompareOrdinal(evaluator, owner) < 0))
            {
                (owner, best) = (evaluator, score);
            }
        }

        return owner;
    }

    /// <summary>True when this process evaluates a group.</summary>
    public bool IsMine(TenantId tenant, string group) => Self.Length > 0 && OwnerOf(tenant, group) == Self;

    /// <summary>True when both say the same of every group.</summary>
    public bool Equals(RuleShares? other) => other is not null && Self == other.Self && Evaluators.Order(StringComparer.Ordinal).SequenceEqual(other.Evaluators.Order(StringComparer.Ordinal), StringComparer.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Self, Evaluators.Count);
}
