using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A change of a tenant's shard map that is under way: a shard becomes two, or two become one (docs/splitting.md).</summary>
/// <param name="Id">Names the attempt, at random.</param>
/// <param name="Parents">The ranges that go.</param>
/// <param name="Children">The ranges that take their place: they cover the same hashes.</param>
/// <param name="At">When it was begun.</param>
public sealed record ShardMapChange(string Id, IReadOnlyList<HashRange> Parents, IReadOnlyList<HashRange> Children, DateTimeOffset At)
{
    /// <summary>True for a split, false for a merge.</summary>
    public bool IsSplit => Children.Count > Parents.Count;

    /// <summary>A change that splits a range in its middle.</summary>
    public static ShardMapChange Split(HashRange range, DateTimeOffset at)
    {
        var (low, high) = range.Split();
        return new ShardMapChange(NewId(), [range], [low, high], at);
    }

    /// <summary>A change that makes one range of the two halves of it.</summary>
    public static ShardMapChange Merge(HashRange whole, DateTimeOffset at)
    {
        var (low, high) = whole.Split();
        return new ShardMapChange(NewId(), [low, high], [whole], at);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{string.Join(" and ", Parents)} to {string.Join(" and ", Children)}";

    private static string NewId() => System.Security.Cryptography.RandomNumberGenerator.GetHexString(16, lowercase: true);
}
