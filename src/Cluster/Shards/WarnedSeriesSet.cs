using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A series set that says what it lacks. Owns the set it reads from.</summary>
internal sealed class WarnedSeriesSet(ISeriesSet series, IReadOnlyList<string> warnings) : ISeriesSet
{
    /// <inheritdoc/>
    public int Count => series.Count;

    /// <inheritdoc/>
    public IReadOnlyList<string> Warnings => warnings;

    /// <inheritdoc/>
    public Labels LabelsOf(int index) => series.LabelsOf(index);

    /// <inheritdoc/>
    public ulong HashOf(int index) => series.HashOf(index);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => series.LabelBytesOf(index, ref scratch);

    /// <inheritdoc/>
    public IReadOnlyList<Labels> Group(LabelSubset subset, Span<int> groupOf) => series.Group(subset, groupOf);

    /// <inheritdoc/>
    public void Read(int index, SampleBuffer into) => series.Read(index, into);

    /// <inheritdoc/>
    public void Dispose() => series.Dispose();
}
