using System.Buffers;
using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>An order of series that needs no labels: by the hash of these, series whose hashes are equal by their bytes. So it depends on the series alone, as sums of floats are to.</summary>
/// <remarks>In pooled memory; what it gave is not used after it is disposed.</remarks>
internal sealed class SeriesOrder : IDisposable
{
    private readonly int count;
    private int[] indexes;
    private int[] numbers;

    /// <summary>Orders the series of a set, or leaves them as they are when any order will do.</summary>
    public SeriesOrder(ISeriesSet set, LabelSubset subset, bool anyOrder)
    {
        count = set.Count;
        indexes = ArrayPool<int>.Shared.Rent(count);
        numbers = ArrayPool<int>.Shared.Rent(count);
        for (var i = 0; i < count; i++)
        {
            indexes[i] = i;
        }

        var groups = set.Group(subset, numbers);
        if (!anyOrder)
        {
            Sort(set);
            Reorder(numbers);
        }

        var distinct = new SeriesHeader[groups.Count];
        for (var i = 0; i < distinct.Length; i++)
        {
            distinct[i] = new SeriesHeader(groups[i], false);
        }

        Headers = new SharedHeaders(distinct, numbers.AsMemory(0, count));
    }

    /// <summary>The series by their places in the set.</summary>
    public ReadOnlyMemory<int> Indexes => indexes.AsMemory(0, count);

    /// <summary>Their labels, in this order.</summary>
    public SharedHeaders Headers { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (indexes.Length > 0)
        {
            ArrayPool<int>.Shared.Return(indexes);
            ArrayPool<int>.Shared.Return(numbers);
            (indexes, numbers) = ([], []);
        }
    }

    private void Sort(ISeriesSet set)
    {
        var hashes = ArrayPool<ulong>.Shared.Rent(count);
        for (var i = 0; i < count; i++)
        {
            hashes[i] = set.HashOf(i);
        }

        hashes.AsSpan(0, count).Sort(indexes.AsSpan(0, count));
        for (var from = 0; from < count; from++)
        {
            var to = from + 1;
            while (to < count && hashes[to] == hashes[from])
            {
                to++;
            }

            if (to > from + 1)
            {
                indexes.AsSpan(from, to - from).Sort((a, b) => set.LabelsOf(a).CompareTo(set.LabelsOf(b)));
                from = to - 1;
            }
        }

        ArrayPool<ulong>.Shared.Return(hashes);
    }

    private void Reorder(int[] byIndex)
    {
        var ordered = ArrayPool<int>.Shared.Rent(count);
        for (var i = 0; i < count; i++)
        {
            ordered[i] = byIndex[indexes[i]];
        }

        numbers = ordered;
        ArrayPool<int>.Shared.Return(byIndex);
    }
}
