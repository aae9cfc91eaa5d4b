namespace Metrics.PromQL.Execution;

/// <summary>Computes a vector at all steps of its grid: label sets first, then values in batches of series.</summary>
/// <remarks>One consumer; not thread-safe. Operators that pass values through change batches in place, for a batch belongs to whoever got it.</remarks>
internal abstract class VectorOperator : IDisposable
{
    /// <summary>The most series in a batch.</summary>
    public const int BatchSize = 256;

    /// <summary>The number of steps of the grid.</summary>
    public abstract int Steps { get; }

    /// <summary>The series, all of them. A series may turn out to have no value at any step.</summary>
    public abstract IReadOnlyList<SeriesHeader> Series { get; }

    /// <summary>The values of the next series, as many as the batch has rows; null after the last. The caller disposes the batch.</summary>
    public abstract StepBatch? Next();

    /// <inheritdoc/>
    public abstract void Dispose();
}
