namespace Metrics.Cluster;

/// <summary>Names the disk of a silo, at random when its data directory is made: a silo that comes back with an emptied disk is another node, and can't be taken for one that remembers.</summary>
/// <param name="Value">The name; letters and digits.</param>
public readonly record struct NodeId(string Value) : IComparable<NodeId>
{
    /// <inheritdoc/>
    public int CompareTo(NodeId other) => string.CompareOrdinal(Value, other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
