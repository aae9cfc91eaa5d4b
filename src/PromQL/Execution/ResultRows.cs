using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Collects rows whose label sets turn up while they are computed.</summary>
/// <remarks>One series has one row; giving it a second value at a step is the error that Prometheus raises.</remarks>
internal sealed class ResultRows(int steps)
{
    public const string Duplicate = "vector cannot contain metrics with the same labelset";

    private readonly Dictionary<Labels, int> byLabels = [];
    private readonly List<SeriesHeader> series = [];
    private readonly List<StepBatch> batches = [];

    public IReadOnlyList<SeriesHeader> Series => series;

    /// <summary>The row of a series, made now if it is new.</summary>
    public StepRow RowOf(SeriesHeader header)
    {
        if (!byLabels.TryGetValue(header.Labels, out var at))
        {
            at = series.Count;
            byLabels.Add(header.Labels, at);
            series.Add(header);
            if (at == batches.Count * VectorOperator.BatchSize)
            {
                batches.Add(new StepBatch(VectorOperator.BatchSize, steps));
            }
        }

        return Row(at);
    }

    /// <summary>The row of a number.</summary>
    public StepRow Row(int at) => batches[at / VectorOperator.BatchSize].Row(at % VectorOperator.BatchSize);

    /// <summary>Adds all values of a row to the row of a series.</summary>
    /// <exception cref="QueryException">The series has a value at one of these steps already.</exception>
    public void Add(SeriesHeader header, StepRow from)
    {
        var into = RowOf(header);
        var mine = into.Presence;
        var theirs = from.Presence;
        for (var word = 0; word < mine.Length; word++)
        {
            if ((mine[word] & theirs[word]) != 0)
            {
                throw new QueryException(QueryErrorKind.Execution, Duplicate);
            }
        }

        from.CopyTo(into);
    }

    /// <summary>Sets one value.</summary>
    /// <exception cref="QueryException">The series has a value at this step already.</exception>
    public void Add(SeriesHeader header, int step, double value, FloatHistogram? histogram)
    {
        var row = RowOf(header);
        if (row.Has(step))
        {
            throw new QueryException(QueryErrorKind.Execution, Duplicate);
        }

        if (histogram is null)
        {
            row.Set(step, value);
        }
        else
        {
            row.Set(step, histogram);
        }
    }

    /// <summary>The rows as an operator's output.</summary>
    public VectorOperator ToOperator()
    {
        if (batches.Count > 0)
        {
            batches[^1].Trim(series.Count - ((batches.Count - 1) * VectorOperator.BatchSize));
        }

        return new RowsOperator(steps, series, batches);
    }
}
