namespace Metrics.PromQL.Execution;

/// <summary>Hands out a vector that is already computed.</summary>
internal sealed class RowsOperator(int steps, IReadOnlyList<SeriesHeader> series, IReadOnlyList<StepBatch> batches) : VectorOperator
{
    private int next;

    /// <inheritdoc/>
    public override int Steps => steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => series;

    /// <summary>A vector without series.</summary>
    public static RowsOperator Empty(int steps) => new(steps, [], []);

    /// <inheritdoc/>
    public override StepBatch? Next() => next < batches.Count ? batches[next++] : null;

    /// <inheritdoc/>
    public override void Dispose()
    {
        for (; next < batches.Count; next++)
        {
            batches[next].Dispose();
        }
    }
}
