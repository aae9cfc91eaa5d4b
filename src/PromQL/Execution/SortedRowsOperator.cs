namespace Metrics.PromQL.Execution;

/// <summary>Hands out copies of rows in a given order.</summary>
/// <param name="steps">Their length.</param>
/// <param name="rows">The rows, which stay as they are.</param>
/// <param name="owner">Whoever holds them, disposed with this; null where others look at them too.</param>
internal sealed class SortedRowsOperator(int steps, (SeriesHeader Header, StepRow Row)[] rows, IDisposable? owner = null) : VectorOperator
{
    private readonly SeriesHeader[] series = Array.ConvertAll(rows, static r => r.Header);
    private int next;

    /// <inheritdoc/>
    public override int Steps => steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => series;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        if (next == rows.Length)
        {
            return null;
        }

        var batch = new StepBatch(Math.Min(BatchSize, rows.Length - next), steps);
        for (var i = 0; i < batch.Series; i++, next++)
        {
            rows[next].Row.CopyTo(batch.Row(i));
        }

        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose() => owner?.Dispose();
}
