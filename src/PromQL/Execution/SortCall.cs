using Metrics.Model;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>sort</c>, <c>sort_desc</c>, <c>sort_by_label</c>, <c>sort_by_label_desc</c>: the order of an instant answer. No effect over a range, which gets a remark.</summary>
internal static class SortCall
{
    public static VectorOperator Apply(CallNode node, VectorOperator source, EvaluationContext context)
    {
        if (node.Grid.Count > 1 || node.Grid.StepMs > 0)
        {
            if (node.Grid.Count > 1)
            {
                context.Warn("sort is ineffective for range queries since results are always ordered by labels", node.Position);
            }

            return source;
        }

        using var whole = Materialised.From(source, context);
        var byLabel = node.Name is "sort_by_label" or "sort_by_label_desc";
        var isDescending = node.Name is "sort_desc" or "sort_by_label_desc";
        var order = new List<int>();
        for (var i = 0; i < whole.Rows.Count; i++)
        {
            // Histograms have no order, and sorting by value leaves them out.
            if (whole.Rows[i].Has(0) && (byLabel || whole.Rows[i].Histogram(0) is null))
            {
                order.Add(i);
            }
        }

        var names = node.Arguments.Skip(1).Select(a => ((StringNode)a).Value).ToArray();
        int Compare(int a, int b)
        {
            var rank = byLabel ? CompareLabels(whole.Series[a].Labels, whole.Series[b].Labels, names) : CompareValues(whole.Rows[a].Values[0], whole.Rows[b].Values[0], isDescending);
            return rank != 0 ? (byLabel && isDescending ? -rank : rank) : a.CompareTo(b);
        }

        order.Sort(Compare);
        var results = new ResultRows(1);
        foreach (var at in order)
        {
            results.Add(whole.Series[at], whole.Rows[at]);
        }

        return results.ToOperator();
    }

    // NaN comes last either way.
    private static int CompareValues(double a, double b, bool isDescending) =>
        double.IsNaN(a) || double.IsNaN(b) ? double.IsNaN(a).CompareTo(double.IsNaN(b)) : isDescending ? b.CompareTo(a) : a.CompareTo(b);

    private static int CompareLabels(Labels a, Labels b, string[] names)
    {
        foreach (var name in names)
        {
            var rank = NaturalOrder.Compare(a[name], b[name]);
            if (rank != 0)
            {
                return rank;
            }
        }

        return a.CompareTo(b);
    }
}
