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
    public void Read(int index, SampleBuffer into) => series.Read(index, into);

    /// <inheritdoc/>
    public void Dispose() => series.Dispose();
}
