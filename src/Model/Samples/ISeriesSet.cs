namespace Metrics.Model;

/// <summary>The series that a selection found, in a consistent view that later appends do not change.</summary>
/// <remarks>
/// Thread-safe for reading: several threads may call <see cref="Read"/> with buffers of their own. Dispose gives the view back; nothing borrowed
/// from it may be used afterwards.
/// </remarks>
public interface ISeriesSet : IDisposable
{
    /// <summary>The number of series. Each appears once. The order is unspecified.</summary>
    int Count { get; }

    /// <summary>What the answer lacks, in words for the user: data that is damaged and was left out. Mostly empty.</summary>
    IReadOnlyList<string> Warnings => [];

    /// <summary>The labels of a series, 0 &lt;= index &lt; <see cref="Count"/>; the selection's projection may have reduced them.</summary>
    Labels LabelsOf(int index);

    /// <summary>Appends to <paramref name="into"/> the samples of a series within the selection's time range, ascending in time, one per instant.</summary>
    /// <exception cref="InvalidDataException">Stored bytes are damaged; the message names file and offset.</exception>
    void Read(int index, SampleBuffer into);
}
