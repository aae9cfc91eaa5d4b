using System.Collections;

namespace Metrics.PromQL.Execution;

/// <summary>Headers of many series of which few differ, as when nothing but the labels that an aggregation groups by is looked at: one for each group, and for each series a number.</summary>
/// <remarks>The numbers are borrowed from whoever selected the series.</remarks>
internal sealed class SharedHeaders : IReadOnlyList<SeriesHeader>
{
    private readonly SeriesHeader[] distinct;
    private readonly ReadOnlyMemory<int> numbers;

    /// <summary>Headers by number, and the number of each series.</summary>
    public SharedHeaders(SeriesHeader[] distinct, ReadOnlyMemory<int> numbers)
    {
        this.distinct = distinct;
        this.numbers = numbers;
    }

    /// <summary>Those that differ; some of them may be of no series.</summary>
    public IReadOnlyList<SeriesHeader> Distinct => distinct;

    /// <summary>For each series which of them it has.</summary>
    public ReadOnlySpan<int> Numbers => numbers.Span;

    /// <inheritdoc/>
    public int Count => numbers.Length;

    /// <inheritdoc/>
    public SeriesHeader this[int index] => distinct[numbers.Span[index]];

    /// <summary>Other headers in place of those that differ, by number.</summary>
    public SharedHeaders With(SeriesHeader[] others) => new(others, numbers);

    /// <summary>Those of some of the series.</summary>
    public SharedHeaders Slice(int from, int count) => new(distinct, numbers.Slice(from, count));

    /// <inheritdoc/>
    public IEnumerator<SeriesHeader> GetEnumerator()
    {
        for (var i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
