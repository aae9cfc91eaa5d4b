using Metrics.Cluster;
using Metrics.Gateway.HaDedup;
using Metrics.Model;
using Metrics.Rules.Relabelling;

namespace Metrics.Gateway.Relabelling;

/// <summary>What happens to the labels of a tenant's series before they are stored: the replica's label goes, then the tenant's rules run, then values too many are replaced. Thread-safe.</summary>
/// <remarks>Two are equal when they do the same, so that a reload that changes nothing forgets nothing.</remarks>
internal sealed class SeriesRewrite(ReplicaLabels? replicas, RelabelList rules, LabelValueCap? values) : ISeriesRewrite, IEquatable<SeriesRewrite>
{
    /// <summary>The rewrite, or null when there is nothing to do.</summary>
    public static SeriesRewrite? Of(ReplicaLabels? replicas, RelabelList rules, LabelValueCap? values) =>
        replicas is null && rules.Rules.Count == 0 && values is null ? null : new SeriesRewrite(replicas, rules, values);

    /// <inheritdoc/>
    public bool Rewrite(LabelsBuilder labels)
    {
        replicas?.Strip(labels);
        if (!RelabelRule.Apply(rules.Rules, labels))
        {
            return false;
        }

        values?.Apply(labels);
        return true;
    }

    /// <inheritdoc/>
    public bool Equals(SeriesRewrite? other) => other is not null && Equals(Replicas, other.Replicas) && RuleText == other.RuleText && ReferenceEquals(Values, other.Values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SeriesRewrite);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Replicas, RuleText);

    private ReplicaLabels? Replicas => replicas;

    private LabelValueCap? Values => values;

    private string RuleText => rules.Text;
}
