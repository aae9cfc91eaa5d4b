using Metrics.Model;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>info(v, selector)</c>: adds the labels of info metrics that share <c>instance</c> and <c>job</c> with a series.</summary>
/// <remarks>
/// promql/info.go. The second operand is the info series, its values the times of their samples: where several of one name go with a series, the newest counts. Plans are made by
/// <see cref="InfoSelection"/>, which also tells which series are info series themselves and pass unchanged.
/// </remarks>
internal static class InfoCall
{
    private static readonly string[] identifying = ["instance", "job"];

    public static VectorOperator Apply(CallNode node, VectorOperator source, VectorOperator infoSource, EvaluationContext context)
    {
        var selection = InfoSelection.Of(node.Call);
        using var vector = Materialised.From(source, context);
        using var info = Materialised.From(infoSource, context);
        var candidates = Candidates(vector, info, selection);
        var rows = new ResultRows(vector.Steps);
        for (var row = 0; row < vector.Rows.Count; row++)
        {
            var header = vector.Series[row];
            if (selection.IsInfo(header.Labels))
            {
                rows.Add(header, vector.Rows[row]);
                continue;
            }

            var matching = candidates.GetValueOrDefault(Signature(header.Labels)) ?? [];
            for (var step = 0; step < vector.Steps; step++)
            {
                if (vector.Rows[row].Has(step) && Enriched(header, matching, info, step, selection) is { } enriched)
                {
                    rows.Add(enriched, step, vector.Rows[row].Values[step], vector.Rows[row].Histogram(step));
                }
            }
        }

        return rows.ToOperator();
    }

    /// <summary>The info series that may go with series of the vector, by what identifies both.</summary>
    private static Dictionary<Labels, List<int>> Candidates(Materialised vector, Materialised info, InfoSelection selection)
    {
        // A label that some series has must have one of their values in an info series; one that no series has may be anything.
        var values = identifying.ToDictionary(n => n, _ => new HashSet<string>(StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (var header in vector.Series)
        {
            if (!selection.IsInfo(header.Labels))
            {
                foreach (var name in identifying)
                {
                    values[name].Add(header.Labels[name]);
                }
            }
        }

        foreach (var set in values.Values)
        {
            set.Remove("");
        }

        var candidates = new Dictionary<Labels, List<int>>();
        if (values.Values.All(s => s.Count == 0))
        {
            return candidates;
        }

        for (var row = 0; row < info.Rows.Count; row++)
        {
            var labels = info.Series[row].Labels;
            if (identifying.All(n => values[n].Count == 0 || values[n].Contains(labels[n])))
            {
                var signature = Signature(labels);
                if (!candidates.TryGetValue(signature, out var rows))
                {
                    candidates.Add(signature, rows = []);
                }

                rows.Add(row);
            }
        }

        return candidates;
    }

    /// <summary>The series with the labels of its info series at a step; null when it is to be left out.</summary>
    private static SeriesHeader? Enriched(SeriesHeader header, List<int> matching, Materialised info, int step, InfoSelection selection)
    {
        var added = new LabelsBuilder();
        var any = false;
        foreach (var labels in Newest(matching, info, step))
        {
            any = true;
            foreach (var (name, value) in labels.AsEnumerable())
            {
                if (name == Labels.MetricName || !selection.Wants(name))
                {
                    continue;
                }

                var set = System.Text.Encoding.UTF8.GetBytes(name);
                var before = added.Get(set);
                if (!before.IsEmpty && !before.SequenceEqual(System.Text.Encoding.UTF8.GetBytes(value)))
                {
                    throw new QueryException(QueryErrorKind.Execution, $"conflicting label: {name}");
                }

                if (!header.Labels.Has(set))
                {
                    added.Set(name, value);
                }
            }
        }

        if (!any && !selection.MatchesNothing)
        {
            return null;
        }

        var builder = new LabelsBuilder().Reset(header.Labels);
        foreach (var label in added.ToLabels())
        {
            builder.Set(label.Name, label.Value);
        }

        return header with { Labels = builder.ToLabels() };
    }

    /// <summary>Per metric name, the info series with the newest sample.</summary>
    private static IEnumerable<Labels> Newest(List<int> matching, Materialised info, int step)
    {
        var newest = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var row in matching)
        {
            if (!info.Rows[row].Has(step))
            {
                continue;
            }

            if (info.Rows[row].Histogram(step) is not null)
            {
                throw new QueryException(QueryErrorKind.Execution, "info sample should be float");
            }

            var labels = info.Series[row].Labels;
            if (!newest.TryGetValue(labels[Labels.MetricName], out var known))
            {
                newest.Add(labels[Labels.MetricName], row);
                continue;
            }

            var (mine, theirs) = (info.Rows[row].Values[step], info.Rows[known].Values[step]);
            if (mine == theirs)
            {
                var timeMs = (long)Math.Round(mine * 1000);
                throw new QueryException(
                    QueryErrorKind.Execution,
                    $"found duplicate series for info metric: existing {LabelNotation.Of(info.Series[known].Labels)} @ {timeMs}, new {LabelNotation.Of(labels)} @ {timeMs}");
            }

            if (mine > theirs)
            {
                newest[labels[Labels.MetricName]] = row;
            }
        }

        return newest.Values.Select(r => info.Series[r].Labels);
    }

    private static Labels Signature(Labels labels)
    {
        var builder = new LabelsBuilder();
        foreach (var name in identifying)
        {
            builder.Set(name, labels[name]);
        }

        return builder.ToLabels();
    }
}
