using System.Buffers;

namespace Metrics.PromQL.Functions;

/// <summary>Rare positions in a series (resets, overlaps), ascending, with a cursor that follows a window.</summary>
internal struct PositionList
{
    private int[]? positions;
    private int count;
    private int from;

    /// <summary>Appends.</summary>
    public void Add(int position)
    {
        positions ??= ArrayPool<int>.Shared.Rent(16);
        if (count == positions.Length)
        {
            var grown = ArrayPool<int>.Shared.Rent(count * 2);
            positions.AsSpan(0, count).CopyTo(grown);
            ArrayPool<int>.Shared.Return(positions);
            positions = grown;
        }

        positions[count++] = position;
    }

    /// <summary>The positions in [first, end); <paramref name="first"/> must not fall from call to call.</summary>
    public ReadOnlySpan<int> In(int first, int end)
    {
        while (from < count && positions![from] < first)
        {
            from++;
        }

        var to = from;
        while (to < count && positions![to] < end)
        {
            to++;
        }

        return positions.AsSpan(from, to - from);
    }

    /// <summary>Gives the memory back.</summary>
    public void Return()
    {
        if (positions is not null)
        {
            ArrayPool<int>.Shared.Return(positions);
            positions = null;
        }
    }
}
