namespace Metrics.Model;

/// <summary>The series that a selection found, in a consistent view that later appends do not change.</summary>
/// <remarks>
/// Thread-safe for reading: several threads may call <see cref="Read"/> with buffers of their own. Dispose gives the view back; nothing borrowed
/// from it may be used afterwards. Labels are a <see cref="Labels"/> only for who asks for one: hashes, bytes and groups make no object per series.
/// </remarks>
public interface ISeriesSet : IDisposable
{
    /// <summary>The number of series. Each appears once. The order is unspecified.</summary>
    int Count { get; }

    /// <summary>What the answer lacks, in words for the user: data that is damaged and was left out. Mostly empty.</summary>
    IReadOnlyList<string> Warnings => [];

    /// <summary>The labels of a series, 0 &lt;= index &lt; <see cref="Count"/>. May make them anew at each call.</summary>
    Labels LabelsOf(int index);

    /// <summary>The <see cref="SeriesHash"/> of a series' labels.</summary>
    ulong HashOf(int index) => LabelsOf(index).Hash;

    /// <summary>
    /// The canonical bytes of a series' labels: the set's own, or written to <paramref name="scratch"/>, which is replaced by a larger one when too small. Valid until that is used again or the set is disposed.
    /// </summary>
    ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => LabelsOf(index).Encoded;

    /// <summary>Sorts the series into groups by some of their labels.</summary>
    /// <param name="subset">What of the labels tells groups apart.</param>
    /// <param name="groupOf">Receives the number of each series' group; at least <see cref="Count"/> long.</param>
    /// <returns>What the series of each group have of the subset; each once, by number.</returns>
    IReadOnlyList<Labels> Group(LabelSubset subset, Span<int> groupOf)
    {
        using var groups = new LabelSetIndex();
        byte[] bytes = [];
        byte[] kept = [];
        for (var i = 0; i < Count; i++)
        {
            groupOf[i] = groups.Add(subset.Of(LabelBytesOf(i, ref bytes), ref kept));
        }

        return groups.ToLabels();
    }

    /// <summary>Appends to <paramref name="into"/> the samples of a series within the selection's time range, ascending in time, one per instant.</summary>
    /// <exception cref="InvalidDataException">Stored bytes are damaged; the message names file and offset.</exception>
    void Read(int index, SampleBuffer into);
}
