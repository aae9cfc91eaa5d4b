namespace Metrics.PromQL.Execution;

/// <summary>Repeats the one step of its child at every step.</summary>
internal sealed class BroadcastOperator(VectorOperator inner, int steps) : VectorOperator
{
    /// <inheritdoc/>
    public override int Steps => steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => inner.Series;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        using var once = inner.Next();
        if (once is null)
        {
            return null;
        }

        var batch = new StepBatch(once.Series, steps);
        for (var row = 0; row < once.Series; row++)
        {
            var from = once.Row(row);
            if (!from.Has(0))
            {
                continue;
            }

            var into = batch.Row(row);
            if (from.Histogram(0) is { } histogram)
            {
                for (var step = 0; step < steps; step++)
                {
                    into.Set(step, histogram);
                }
            }
            else
            {
                into.Values.Fill(from.Values[0]);
                into.SetAllPresent();
            }
        }

        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();
}
