using Metrics.Cluster;
using Metrics.Gateway.HaDedup;
using Metrics.Model;
using Metrics.Rules.Relabelling;

namespace Metrics.Gateway.Relabelling;

/// <summary>What happens to the labels of a tenant's series before they are stored: the replica's label goes, then the tenant's rules run. Immutable and thread-safe.</summary>
/// <remarks>Two are equal when they do the same, so that a reload that changes nothing forgets nothing.</remarks>
internal sealed class SeriesRewrite(ReplicaLabels? replicas, RelabelList rules) : ISeriesRewrite, IEquatable<SeriesRewrite>
{
    /// <summary>The rewrite, or null when there is nothing to do.</summary>
    public static SeriesRewrite? Of(ReplicaLabels? replicas, RelabelList rules) => replicas is null && rules.Rules.Count == 0 ? null : new SeriesRewrite(replicas, rules);

    /// <inheritdoc/>
    public bool Rewrite(LabelsBuilder labels)
    {
        replicas?.Strip(labels);
        return RelabelRule.Apply(rules.Rules, labels);
    }

    /// <inheritdoc/>
    public bool Equals(SeriesRewrite? other) => other is not null && Equals(Replicas, other.Replicas) && RuleText == other.RuleText;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SeriesRewrite);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Replicas, RuleText);

    private ReplicaLabels? Replicas => replicas;

    private string RuleText => rules.Text;
}
