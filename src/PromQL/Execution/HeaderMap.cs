namespace Metrics.PromQL.Execution;

/// <summary>Label sets of a whole vector changed alike.</summary>
internal static class HeaderMap
{
    /// <summary>The series without their names.</summary>
    public static SeriesHeader[] DropNames(IReadOnlyList<SeriesHeader> series, EvaluationContext context)
    {
        var labels = new LabelSets();
        var dropped = new SeriesHeader[series.Count];
        for (var i = 0; i < dropped.Length; i++)
        {
            dropped[i] = context.DropName(series[i], labels);
        }

        return dropped;
    }
}
