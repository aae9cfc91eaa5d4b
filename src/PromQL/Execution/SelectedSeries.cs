using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>A run of the series that a selection found, in an order of our own.</summary>
internal sealed class SelectedSeries
{
    /// <summary>A time and a value.</summary>
    private const int FloatBytes = 16;

    private readonly ISeriesSet set;
    private readonly int[] order;
    private readonly int first;
    private readonly bool statisticsOnly;
    private readonly QueryBudget budget;

    private SelectedSeries(ISeriesSet set, int[] order, int first, SeriesHeader[] headers, bool statisticsOnly, QueryBudget budget)
    {
        this.set = set;
        this.order = order;
        this.first = first;
        this.statisticsOnly = statisticsOnly;
        this.budget = budget;
        Headers = headers;
    }

    /// <summary>The number of series.</summary>
    public int Count => Headers.Count;

    /// <summary>Their labels.</summary>
    public IReadOnlyList<SeriesHeader> Headers { get; }

    /// <summary>Appends the samples of a series.</summary>
    public void Read(int index, SampleBuffer into)
    {
        var before = into.Count;
        var encoded = into.EncodedBytes;
        set.Read(order[first + index], into);
        encoded = into.EncodedBytes - encoded;
        budget.Fetch(encoded > 0 ? encoded : BytesOf(into, before));
        if (statisticsOnly && into.HasHistograms)
        {
            HistogramStatistics.Reduce(into);
        }
    }

    /// <summary>All series, with a label added when one is given, sorted by labels so that results do not depend on how a source happens to order them; the budget is told what is read.</summary>
    public static SelectedSeries Sorted(ISeriesSet set, QueryBudget budget, bool statisticsOnly = false, AddedLabel? added = null)
    {
        var builder = added is null ? null : new LabelsBuilder();
        var labels = new Labels[set.Count];
        var indexes = new int[set.Count];
        for (var i = 0; i < indexes.Length; i++)
        {
            labels[i] = builder is null ? set.LabelsOf(i) : added!.AddTo(set.LabelsOf(i), builder);
            indexes[i] = i;
        }

        Array.Sort(labels, indexes);
        var headers = new SeriesHeader[labels.Length];
        for (var i = 0; i < headers.Length; i++)
        {
            headers[i] = new SeriesHeader(labels[i], false);
        }

        return new SelectedSeries(set, indexes, 0, headers, statisticsOnly, budget);
    }

    /// <summary>The same series in the same order, but of their labels only those named, each set once for all that have it: what was made to sort them need not be held while they are evaluated.</summary>
    public SelectedSeries Reduced(IEnumerable<string> names)
    {
        var kept = LabelSets.Sorted(names);
        var labels = new LabelSets();
        var shared = new GroupIndex();
        var headers = new SeriesHeader[Count];
        for (var i = 0; i < headers.Length; i++)
        {
            headers[i] = new SeriesHeader(shared.Groups[shared.Add(labels.Reduce(Headers[i].Labels, kept, without: false))], false);
        }

        return new SelectedSeries(set, order, first, headers, statisticsOnly, budget);
    }

    private static long BytesOf(SampleBuffer samples, int from)
    {
        var floats = (long)(samples.Count - from);
        if (samples.HasHistograms)
        {
            foreach (var histogram in samples.Histograms[from..])
            {
                floats += histogram is null ? 0 : SampleSize.Of(histogram);
            }
        }

        return FloatBytes * floats;
    }

    /// <summary>Cuts the series into runs of nearly equal length.</summary>
    public SelectedSeries[] Split(int parts)
    {
        var runs = new SelectedSeries[parts];
        for (var i = 0; i < parts; i++)
        {
            var from = (int)((long)Count * i / parts);
            var to = (int)((long)Count * (i + 1) / parts);
            runs[i] = new SelectedSeries(set, order, first + from, [.. Headers.Skip(from).Take(to - from)], statisticsOnly, budget);
        }

        return runs;
    }
}
