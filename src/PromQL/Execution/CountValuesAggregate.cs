using System.Text;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>count_values</c>: per group one series for each distinct value, counting the series that have it.</summary>
internal static class CountValuesAggregate
{
    public static VectorOperator Apply(AggregateNode node, VectorOperator source, EvaluationContext context)
    {
        var label = ((StringNode)node.Parameter!).Value;
        if (label.Length == 0 || !IsWellFormed(label))
        {
            source.Dispose();
            throw new QueryException(QueryErrorKind.Execution, $"invalid label name {GoText.Quote(label)}");
        }

        using var whole = Materialised.From(source, context);
        var subset = new LabelSubset(node.Without ? [.. node.Grouping, Labels.MetricName] : [.. node.Grouping, label], node.Without);
        var sets = new LabelSets();
        var builder = new LabelsBuilder();
        var known = new Dictionary<(int Series, string Value), Labels>();
        var results = new ResultRows(whole.Steps);
        for (var i = 0; i < whole.Series.Count; i++)
        {
            context.Checkpoint();
            var row = whole.Rows[i];
            for (var step = 0; step < whole.Steps; step++)
            {
                if (!row.Has(step))
                {
                    continue;
                }

                var text = row.Histogram(step) is { } histogram ? HistogramArithmetic.TextOf(histogram) : GoNumber.Plain(row.Values[step]);
                if (!known.TryGetValue((i, text), out var labels))
                {
                    labels = Labels.FromEncoded(sets.Reduce(builder.Reset(whole.Series[i].Labels).Set(label, text).ToLabels(), subset));
                    known.Add((i, text), labels);
                }

                var into = results.RowOf(new SeriesHeader(labels, false));
                into.Set(step, into.Has(step) ? into.Values[step] + 1 : 1);
            }
        }

        return results.ToOperator();
    }

    private static bool IsWellFormed(string label)
    {
        foreach (var rune in label.EnumerateRunes())
        {
            if (rune == Rune.ReplacementChar)
            {
                return false;
            }
        }

        return true;
    }
}
