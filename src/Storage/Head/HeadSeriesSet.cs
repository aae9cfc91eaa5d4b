using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Selected series of a head. Owns its view.</summary>
internal sealed class HeadSeriesSet(HeadView view, List<SeriesSnapshot> series, TimeRange range) : ISeriesSet
{
    public int Count => series.Count;

    public Labels LabelsOf(int index) => view.Head.LabelsOf(series[index].Reference);

    public void Read(int index, SampleBuffer into) => Read(view.Head, series[index], range, into);

    public void Dispose() => view.Dispose();

    /// <summary>Appends the samples of a series in a range: in-order chunks as they are, late samples merged in between.</summary>
    internal static void Read(Head head, in SeriesSnapshot series, TimeRange range, SampleBuffer into)
    {
        if (!series.HasOutOfOrder)
        {
            ReadInOrder(series, range, into);
            return;
        }

        var late = new List<(long TimeMs, double Value)>();
        head.OutOfOrderOf(series.Reference).Collect(range, late);
        late.Sort((a, b) => a.TimeMs.CompareTo(b.TimeMs));
        using var inOrder = new SampleBuffer();
        ReadInOrder(series, range, inOrder);
        var next = 0;
        for (var i = 0; i < inOrder.Count; i++)
        {
            for (; next < late.Count && late[next].TimeMs < inOrder.Times[i]; next++)
            {
                into.Add(late[next].TimeMs, late[next].Value);
            }

            into.Add(inOrder.Times[i], inOrder.Values[i]);
        }

        for (; next < late.Count; next++)
        {
            into.Add(late[next].TimeMs, late[next].Value);
        }
    }

    private static void ReadInOrder(in SeriesSnapshot series, TimeRange range, SampleBuffer into)
    {
        foreach (ref readonly var chunk in series.Sealed)
        {
            if (chunk.MinMs > range.MaxMs)
            {
                return;
            }

            if (chunk.MaxMs >= range.MinMs)
            {
                XorChunk.Decode(chunk.Bytes, chunk.Count, range, into);
            }
        }

        if (series.OpenCount > 0 && series.OpenMinMs <= range.MaxMs)
        {
            XorChunk.Decode(series.Open, series.OpenCount, range, into);
        }
    }
}
