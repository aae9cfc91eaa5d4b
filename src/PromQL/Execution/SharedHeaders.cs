using System.Collections;
using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Headers of many series of which few differ, as when nothing but the labels that an aggregation groups by is looked at: one for each group, and for each series a number.</summary>
/// <remarks>What remarks say of a series, its name, type and unit, would make many groups of few; it is told apart by numbers of its own. The numbers are borrowed from whoever selected the series.</remarks>
internal sealed class SharedHeaders : IReadOnlyList<SeriesHeader>
{
    private readonly SeriesHeader[] distinct;
    private readonly ReadOnlyMemory<int> numbers;
    private readonly SeriesHeader[] quoted;
    private readonly ReadOnlyMemory<int> quotedNumbers;

    /// <summary>Headers by number, and the number of each series; the same for what is quoted, or nothing where nothing is.</summary>
    public SharedHeaders(SeriesHeader[] distinct, ReadOnlyMemory<int> numbers, SeriesHeader[] quoted, ReadOnlyMemory<int> quotedNumbers)
    {
        this.distinct = distinct;
        this.numbers = numbers;
        this.quoted = quoted;
        this.quotedNumbers = quotedNumbers;
    }

    /// <summary>Those that differ; some of them may be of no series.</summary>
    public IReadOnlyList<SeriesHeader> Distinct => distinct;

    /// <summary>For each series which of them it has.</summary>
    public ReadOnlySpan<int> Numbers => numbers.Span;

    /// <inheritdoc/>
    public int Count => numbers.Length;

    /// <inheritdoc/>
    public SeriesHeader this[int index] => distinct[numbers.Span[index]];

    /// <summary>The labels of a series, or what there is of them for remarks to quote.</summary>
    public static Labels QuotedOf(IReadOnlyList<SeriesHeader> series, int index) =>
        series is not SharedHeaders shared ? series[index].Labels : shared.quoted.Length == 0 ? Labels.Empty : shared.quoted[shared.quotedNumbers.Span[index]].Labels;

    /// <summary>The same series, each header changed.</summary>
    public SharedHeaders Change(Func<SeriesHeader, SeriesHeader> change) => new(Array.ConvertAll(distinct, h => change(h)), numbers, Array.ConvertAll(quoted, h => change(h)), quotedNumbers);

    /// <summary>Headers of several vectors one behind the other: shared when all are, and then with numbers of its own, and with nothing to quote.</summary>
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

        return new SharedHeaders([.. headers], places, [], default);
    }

    /// <summary>Those of some of the series.</summary>
    public SharedHeaders Slice(int from, int count) =>
        new(distinct, numbers.Slice(from, count), quoted, quoted.Length == 0 ? default : quotedNumbers.Slice(from, count));

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
