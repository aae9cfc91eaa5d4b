namespace Metrics.PromQL.Execution;

/// <summary>Series that became equal when they lost their names are one series, and an error where two have a value at the same step.</summary>
internal static class DuplicateMerge
{
    /// <summary>Merges equal series of an operator's output; passes through when there are none.</summary>
    public static VectorOperator Apply(VectorOperator inner, EvaluationContext context)
    {
        if (!Any(inner.Series))
        {
            return inner;
        }

        using var whole = Materialised.From(inner, context);
        var rows = new ResultRows(whole.Steps);
        for (var i = 0; i < whole.Rows.Count; i++)
        {
            if (!whole.Rows[i].IsEmpty)
            {
                rows.Add(whole.Series[i], whole.Rows[i]);
            }
        }

        return rows.ToOperator();
    }

    private static bool Any(IReadOnlyList<SeriesHeader> series)
    {
        if (series.Count < 2)
        {
            return false;
        }

        var seen = new HashSet<Model.Labels>(series.Count);
        foreach (var header in series)
        {
            if (!seen.Add(header.Labels))
            {
                return true;
            }
        }

        return false;
    }
}
