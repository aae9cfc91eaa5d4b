using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Selected series of a head. Owns its view and the list.</summary>
internal sealed class HeadSeriesSet(HeadView view, PooledList<SeriesSnapshot> series, TimeRange range) : ISeriesSet
{
    /// <summary>By place in the list. Chunks of floats stay as long as the view; what lies beside them is the cut's to drop, so it is taken at once.</summary>
    private readonly Dictionary<int, SamplesAside> aside = Aside(view.Head, series, range);

    public int Count => series.Count;

    public Labels LabelsOf(int index) => view.Head.LabelsOf(series[index].Reference);

    public ulong HashOf(int index) => view.Head.At(series[index].Reference).Hash;

    public ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => view.Head.LabelBytesOf(series[index].Reference, ref scratch);

    public IReadOnlyList<Labels> Group(LabelSubset subset, Span<int> groupOf)
    {
        using var groups = new SymbolGroups(view.Head, subset);
        for (var i = 0; i < Count; i++)
        {
            groupOf[i] = groups.Add(series[i].Reference);
        }

        return groups.ToLabels();
    }

    public void Read(int index, SampleBuffer into) => Read(view.Head, series[index], aside.GetValueOrDefault(index), range, into);

    public void Dispose()
    {
        series.Dispose();
        view.Dispose();
    }

    /// <summary>Appends the samples of a series in a range: in-order chunks as they are, late samples and histograms merged in between.</summary>
    internal static void Read(Head head, in SeriesSnapshot series, TimeRange range, SampleBuffer into) => Read(head, series, SamplesAside.Of(head, series, range), range, into);

    private static void Read(Head head, in SeriesSnapshot series, in SamplesAside aside, TimeRange range, SampleBuffer into)
    {
        if (aside.IsEmpty)
        {
            ReadInOrder(head, series, range, into);
            return;
        }

        using var inOrder = new SampleBuffer();
        ReadInOrder(head, series, range, inOrder);
        using var late = new SampleBuffer();
        aside.Late?.Read(late);
        if (aside.Histograms is not { } histograms)
        {
            SampleBuffer.Merge(inOrder, late, into);
            return;
        }

        using var floats = new SampleBuffer();
        using var rest = new SampleBuffer();
        SampleBuffer.Merge(inOrder, late, floats);
        histograms.Read(rest);
        SampleBuffer.Merge(floats, rest, into);
    }

    private static Dictionary<int, SamplesAside> Aside(Head head, PooledList<SeriesSnapshot> series, TimeRange range)
    {
        var all = new Dictionary<int, SamplesAside>();
        var items = series.Items;
        for (var i = 0; i < items.Length; i++)
        {
            if (items[i].HasOutOfOrder)
            {
                all.Add(i, SamplesAside.Of(head, items[i], range));
            }
        }

        return all;
    }

    private static void ReadInOrder(Head head, in SeriesSnapshot series, TimeRange range, SampleBuffer into)
    {
        Span<SealedChunk> chunks = series.SealedCount <= SeriesSnapshot.UsualChunks ? stackalloc SealedChunk[series.SealedCount] : new SealedChunk[series.SealedCount];
        head.ChunksOf(series, chunks);
        foreach (var chunk in chunks)
        {
            if (chunk.MinMs > range.MaxMs)
            {
                return;
            }

            if (chunk.MaxMs >= range.MinMs)
            {
                XorChunk.Decode(chunk.Data, range, into);
            }
        }

        if (series.OpenCount > 0 && series.OpenMinMs <= range.MaxMs)
        {
            head.DecodeOpen(series, range, into);
        }
    }
}

/// <summary>What lies beside a series' chunks of floats: late samples and histograms, as they were when a reader looked.</summary>
internal readonly record struct SamplesAside(LateSamples? Late, HistogramSamples.View? Histograms)
{
    public bool IsEmpty => Late is null && Histograms is null;

    public static SamplesAside Of(Head head, in SeriesSnapshot series, TimeRange range) =>
        series.HasOutOfOrder ? new SamplesAside(head.OutOfOrderOf(series.Reference)?.View(range), head.HistogramsOf(series.Reference)?.ViewOf(range)) : default;
}
