namespace Metrics.PromQL.Execution;

/// <summary>Hands out rows of the leaves' answers, copied, one answer behind the other; the answers stay as they are.</summary>
internal sealed class AnswerRowsOperator : VectorOperator
{
    private readonly int steps;
    private readonly StepBatch[] batches;
    private int next;

    public AnswerRowsOperator(int steps, FragmentResult[] answers)
    {
        this.steps = steps;
        batches = [.. answers.SelectMany(static a => a.Batches)];
        Series = SharedHeaders.Concat([.. answers.Select(static a => a.Series)]);
    }

    /// <inheritdoc/>
    public override int Steps => steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series { get; }

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        if (next == batches.Length)
        {
            return null;
        }

        var from = batches[next++];
        var batch = new StepBatch(from.Series, steps);
        for (var row = 0; row < from.Series; row++)
        {
            from.Row(row).CopyTo(batch.Row(row));
        }

        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
    }
}
