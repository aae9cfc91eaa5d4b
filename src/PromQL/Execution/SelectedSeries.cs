using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>A run of the series that a selection found, in an order of our own.</summary>
internal sealed class SelectedSeries
{
    private readonly ISeriesSet set;
    private readonly int[] order;
    private readonly int first;
    private readonly bool statisticsOnly;

    private SelectedSeries(ISeriesSet set, int[] order, int first, SeriesHeader[] headers, bool statisticsOnly)
    {
        this.set = set;
        this.order = order;
        this.first = first;
        this.statisticsOnly = statisticsOnly;
        Headers = headers;
    }

    /// <summary>The number of series.</summary>
    public int Count => Headers.Count;

    /// <summary>Their labels.</summary>
    public IReadOnlyList<SeriesHeader> Headers { get; }

    /// <summary>Appends the samples of a series.</summary>
    public void Read(int index, SampleBuffer into)
    {
        set.Read(order[first + index], into);
        if (statisticsOnly && into.HasHistograms)
        {
            HistogramStatistics.Reduce(into);
        }
    }

    /// <summary>All series, with a label added when one is given, sorted by labels so that results do not depend on how a source happens to order them.</summary>
    public static SelectedSeries Sorted(ISeriesSet set, bool statisticsOnly = false, AddedLabel? added = null)
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

        return new SelectedSeries(set, indexes, 0, headers, statisticsOnly);
    }

    /// <summary>Cuts the series into runs of nearly equal length.</summary>
    public SelectedSeries[] Split(int parts)
    {
        var runs = new SelectedSeries[parts];
        for (var i = 0; i < parts; i++)
        {
            var from = (int)((long)Count * i / parts);
            var to = (int)((long)Count * (i + 1) / parts);
            runs[i] = new SelectedSeries(set, order, first + from, [.. Headers.Skip(from).Take(to - from)], statisticsOnly);
        }

        return runs;
    }
}
