using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>The series that a selection found, or a run of them, in an order of our own. One evaluation's, which disposes it; runs cut from it are not used afterwards.</summary>
internal sealed class SelectedSeries : IDisposable
{
    /// <summary>A time and a value.</summary>
    private const int FloatBytes = 16;

    private readonly ISeriesSet set;
    private readonly ReadOnlyMemory<int> order;
    private readonly bool statisticsOnly;
    private readonly QueryBudget budget;
    private readonly IDisposable? owned;

    private SelectedSeries(ISeriesSet set, ReadOnlyMemory<int> order, IReadOnlyList<SeriesHeader> headers, bool statisticsOnly, QueryBudget budget, IDisposable? owned)
    {
        this.set = set;
        this.order = order;
        this.statisticsOnly = statisticsOnly;
        this.budget = budget;
        this.owned = owned;
        Headers = headers;
    }

    /// <summary>The number of series.</summary>
    public int Count => order.Length;

    /// <summary>Their labels.</summary>
    public IReadOnlyList<SeriesHeader> Headers { get; }

    /// <summary>Appends the samples of a series.</summary>
    public void Read(int index, SampleBuffer into)
    {
        var before = into.Count;
        var (encoded, chunks) = (into.EncodedBytes, into.EncodedChunks);
        set.Read(order.Span[index], into);
        encoded = into.EncodedBytes - encoded;
        budget.Fetch(encoded > 0 ? encoded : BytesOf(into, before), into.EncodedChunks - chunks);
        if (statisticsOnly && into.HasHistograms)
        {
            HistogramStatistics.Reduce(into);
        }
    }

    /// <summary>All series, with a label added when one is given, sorted by labels so that results do not depend on how a source happens to order them; the budget is told what is read.</summary>
    public static SelectedSeries Sorted(ISeriesSet set, QueryBudget budget, bool statisticsOnly = false, AddedLabel? added = null)
    {
        var builder = added is null ? null : new LabelsBuilder();
        var arena = new LabelsArena();
        byte[] scratch = [];
        var labels = new Labels[set.Count];
        var indexes = new int[set.Count];
        for (var i = 0; i < indexes.Length; i++)
        {
            labels[i] = builder is null ? arena.Add(set.LabelBytesOf(i, ref scratch)) : added!.AddTo(set.LabelsOf(i), builder);
            indexes[i] = i;
            ProcessorTurn.CheckpointAt(i);
        }

        LabelSort.Sort(labels, indexes);
        var headers = new SeriesHeader[labels.Length];
        for (var i = 0; i < headers.Length; i++)
        {
            headers[i] = new SeriesHeader(labels[i], false);
        }

        return new SelectedSeries(set, indexes, headers, statisticsOnly, budget, null);
    }

    /// <summary>All series, of whose labels only some are looked at: none gets a label set of its own. In the order of <see cref="SeriesOrder"/>, which is no source's, unless any will do.</summary>
    public static SelectedSeries Grouped(ISeriesSet set, NeededLabels needed, QueryBudget budget, bool statisticsOnly)
    {
        var ordered = new SeriesOrder(set, needed);
        return new SelectedSeries(set, ordered.Indexes, ordered.Headers, statisticsOnly, budget, ordered);
    }

    /// <summary>Cuts the series into runs of nearly equal length.</summary>
    public SelectedSeries[] Split(int parts)
    {
        var runs = new SelectedSeries[parts];
        for (var i = 0; i < parts; i++)
        {
            var from = (int)((long)Count * i / parts);
            var count = (int)((long)Count * (i + 1) / parts) - from;
            IReadOnlyList<SeriesHeader> headers = Headers is SharedHeaders shared ? shared.Slice(from, count) : new ArraySegment<SeriesHeader>((SeriesHeader[])Headers, from, count);
            runs[i] = new SelectedSeries(set, order.Slice(from, count), headers, statisticsOnly, budget, null);
        }

        return runs;
    }

    /// <inheritdoc/>
    public void Dispose() => owned?.Dispose();

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
}
