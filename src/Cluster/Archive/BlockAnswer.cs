using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What a block answered; damage met while its samples are read reaches the list of live blocks, and fails the query that met it.</summary>
internal sealed class BlockAnswer(ISeriesSet series, LiveBlock block, Action<LiveBlock, InvalidDataException> damaged) : ISeriesSet
{
    /// <inheritdoc/>
    public int Count => series.Count;

    /// <inheritdoc/>
    public Labels LabelsOf(int index) => series.LabelsOf(index);

    /// <inheritdoc/>
    public ulong HashOf(int index) => series.HashOf(index);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => series.LabelBytesOf(index, ref scratch);

    /// <inheritdoc/>
    public IReadOnlyList<Labels> Group(LabelSubset subset, Span<int> groupOf) => series.Group(subset, groupOf);

    /// <inheritdoc/>
    public void Read(int index, SampleBuffer into)
    {
        try
        {
            series.Read(index, into);
        }
        catch (InvalidDataException e)
        {
            damaged(block, e);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => series.Dispose();
}
