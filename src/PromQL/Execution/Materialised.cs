namespace Metrics.PromQL.Execution;

/// <summary>A whole vector in memory: for operators that need all series at once.</summary>
internal sealed class Materialised : IDisposable
{
    private readonly RowList rows = new();
    private readonly QueryBudget budget;
    private long samples;

    private Materialised(int steps, IReadOnlyList<SeriesHeader> series, QueryBudget budget)
    {
        Steps = steps;
        Series = series;
        this.budget = budget;
    }

    /// <summary>The number of steps.</summary>
    public int Steps { get; }

    /// <summary>The series, one per row.</summary>
    public IReadOnlyList<SeriesHeader> Series { get; }

    /// <summary>The values, parallel to <see cref="Series"/>.</summary>
    public IReadOnlyList<StepRow> Rows => rows;

    /// <summary>The batches the rows lie in.</summary>
    public IReadOnlyList<StepBatch> Batches => rows.Batches;

    /// <summary>Pulls everything out of an operator, which it disposes.</summary>
    public static Materialised From(VectorOperator source, EvaluationContext context)
    {
        using (source)
        {
            var whole = new Materialised(source.Steps, source.Series, context.Budget);
            try
            {
                while (source.Next() is { } batch)
                {
                    context.Checkpoint();
                    var held = batch.CountPresent();
                    whole.rows.Add(batch);
                    whole.samples += held;
                    context.Budget.Take(held);
                }

                return whole;
            }
            catch
            {
                whole.Dispose();
                throw;
            }
        }
    }

    /// <summary>Hands the batches over to the caller, who disposes them, and forgets them.</summary>
    public IReadOnlyList<StepBatch> Detach()
    {
        var taken = rows.Batches.ToArray();
        rows.Clear();
        return taken;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        budget.Release(samples);
        samples = 0;
        foreach (var batch in rows.Batches)
        {
            batch.Dispose();
        }

        rows.Clear();
    }
}
