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

    /// <summary>Headers of several vectors one behind the other: shared when all are, and then with numbers of its own.</summary>
    public static IReadOnlyList<SeriesHeader> Concat(IReadOnlyList<IReadOnlyList<SeriesHeader>> parts)
    {
        if (!parts.All(static p => p is SharedHeaders))
        {
            return parts.Count == 1 ? parts[0] : [.. parts.SelectMany(static p => p)];
        }

        var headers = new List<SeriesHeader>();
        var places = new int[parts.Sum(static p => p.Count)];
        var at = 0;
        SeriesHeader[]? before = null;
        var offset = 0;
        foreach (var part in parts.Cast<SharedHeaders>())
        {
            // Runs of one selection have their headers in common.
            if (!ReferenceEquals(part.distinct, before))
            {
                before = part.distinct;
                offset = headers.Count;
                headers.AddRange(before);
            }

            foreach (var number in part.Numbers)
            {
                places[at++] = offset + number;
            }
        }

        return new SharedHeaders([.. headers], places);
    }

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
