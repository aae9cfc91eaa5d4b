namespace Metrics.PromQL.Execution;

/// <summary>Label sets of a whole vector changed alike.</summary>
internal static class HeaderMap
{
    /// <summary>The series without their names; with <paramref name="keptWhereKept"/> only those whose names are to be dropped anyway.</summary>
    public static IReadOnlyList<SeriesHeader> DropNames(IReadOnlyList<SeriesHeader> series, EvaluationContext context, bool keptWhereKept = false)
    {
        var labels = new LabelSets();
        if (series is SharedHeaders shared)
        {
            return shared.Change(Dropped);
        }

        var dropped = new SeriesHeader[series.Count];
        for (var i = 0; i < dropped.Length; i++)
        {
            dropped[i] = Dropped(series[i]);
        }

        return dropped;

        SeriesHeader Dropped(SeriesHeader header) => keptWhereKept && !header.DropName ? header : context.DropName(header, labels);
    }
}
