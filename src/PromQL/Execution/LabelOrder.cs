using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Puts a vector into the order of its labels.</summary>
internal static class LabelOrder
{
    /// <summary>The same series in that order; passes through what has it already.</summary>
    public static VectorOperator Apply(VectorOperator source, EvaluationContext context)
    {
        // Series that came without labels that tell them apart are as their leaves ordered them.
        if (source.Series is SharedHeaders || IsSorted(source.Series))
        {
            return source;
        }

        var whole = Materialised.From(source, context);
        var rows = new (SeriesHeader Header, StepRow Row)[whole.Series.Count];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = (whole.Series[i], whole.Rows[i]);
        }

        LabelSort.Sort(rows);
        return new SortedRowsOperator(whole.Steps, rows, whole);
    }

    private static bool IsSorted(IReadOnlyList<SeriesHeader> series)
    {
        for (var i = 1; i < series.Count; i++)
        {
            ProcessorTurn.CheckpointAt(i);
            if (series[i - 1].Labels.CompareTo(series[i].Labels) > 0)
            {
                return false;
            }
        }

        return true;
    }
}
