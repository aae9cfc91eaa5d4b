using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>An order of series that needs no labels: by the hash of these, series whose hashes are equal by their bytes. So it depends on the series alone, as sums of floats are to.</summary>
/// <remarks>In pooled memory; what it gave is not used after it is disposed.</remarks>
internal sealed class SeriesOrder : IDisposable
{
    private readonly int count;
    private readonly PooledList<int> indexes;
    private readonly PooledList<int> numbers;
    private readonly PooledList<int> quotedNumbers;

    /// <summary>Orders the series of a set, or leaves them as they are when any order will do.</summary>
    public SeriesOrder(ISeriesSet set, NeededLabels needed)
    {
        count = set.Count;
        indexes = new PooledList<int>(count);
        for (var i = 0; i < count; i++)
        {
            indexes.Add(i);
        }

        if (!needed.AnyOrder)
        {
            Sort(set);
        }

        numbers = new PooledList<int>(count);
        quotedNumbers = new PooledList<int>(needed.AreQuoted ? count : 0);
        var distinct = Group(set, needed.Subset, numbers);
        var quoted = needed.AreQuoted ? Group(set, NeededLabels.Quoted, quotedNumbers) : [];
        Headers = new SharedHeaders(distinct, numbers.Memory, quoted, quotedNumbers.Memory);
    }

    /// <summary>The series by their places in the set.</summary>
    public ReadOnlyMemory<int> Indexes => indexes.Memory;

    /// <summary>Their labels, in this order.</summary>
    public SharedHeaders Headers { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        indexes.Dispose();
        numbers.Dispose();
        quotedNumbers.Dispose();
    }

    private SeriesHeader[] Group(ISeriesSet set, LabelSubset subset, PooledList<int> into)
    {
        using var byIndex = new PooledList<int>(count);
        var groups = set.Group(subset, byIndex.Extend(count));
        foreach (var index in indexes.Items)
        {
            into.Add(byIndex[index]);
        }

        var headers = new SeriesHeader[groups.Count];
        for (var i = 0; i < headers.Length; i++)
        {
            headers[i] = new SeriesHeader(groups[i], false);
        }

        return headers;
    }

    private void Sort(ISeriesSet set)
    {
        using var hashes = new PooledList<ulong>(count);
        for (var i = 0; i < count; i++)
        {
            hashes.Add(set.HashOf(i));
        }

        hashes.Items.Sort(indexes.Items);
        for (var from = 0; from < count; from++)
        {
            var to = from + 1;
            while (to < count && hashes[to] == hashes[from])
            {
                to++;
            }

            if (to > from + 1)
            {
                indexes.Items.Slice(from, to - from).Sort((a, b) => set.LabelsOf(a).CompareTo(set.LabelsOf(b)));
                from = to - 1;
            }
        }
    }
}
