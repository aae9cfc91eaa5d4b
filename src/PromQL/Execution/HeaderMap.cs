namespace Metrics.PromQL.Execution;

/// <summary>Label sets of a whole vector changed alike.</summary>
internal static class HeaderMap
{
    /// <summary>The series without their names; with <paramref name="keptWhereKept"/> only those whose names are to be dropped anyway.</summary>
    public static IReadOnlyList<SeriesHeader> DropNames(IReadOnlyList<SeriesHeader> series, EvaluationContext context, bool keptWhereKept = false)
    {
        var labels = new LabelSets();
        var shared = series as SharedHeaders;
        var all = shared?.Distinct ?? series;
        var dropped = new SeriesHeader[all.Count];
        for (var i = 0; i < dropped.Length; i++)
        {
            dropped[i] = keptWhereKept && !all[i].DropName ? all[i] : context.DropName(all[i], labels);
        }

        return shared is null ? dropped : shared.With(dropped);
    }
}
