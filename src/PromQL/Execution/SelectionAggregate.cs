using Metrics.Model;
using Metrics.PromQL.Aggregates;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>topk</c>, <c>bottomk</c>, <c>limitk</c>, <c>limit_ratio</c>: picks series per group and step; they keep their labels.</summary>
/// <remarks>
/// A shard picks with <c>isPartial</c>: whatever could still be picked among all shards' series, ties of the last one included. So the final pick, made from
/// the survivors of all shards in the order of their labels, does not depend on how series are spread.
/// </remarks>
internal static class SelectionAggregate
{
    /// <summary>Computes the selection.</summary>
    public static VectorOperator Apply(AggregateNode node, VectorOperator source, double[] parameter, bool isPartial, EvaluationContext context)
    {
        using var whole = Materialised.From(source, context);
        if (!CheckParameter(node, parameter, context))
        {
            return RowsOperator.Empty(whole.Steps);
        }

        var grouping = new Grouping(node, whole.Series);
        var members = new List<int>[grouping.Headers.Length];
        foreach (var i in ByLabels(whole))
        {
            (members[grouping.Of(i)] ??= []).Add(i);
        }

        var keep = new StepBits(whole.Series.Count, whole.Steps);
        var ranked = whole.Steps == 1 && !isPartial && node.Operator is (AggregateOperator.Topk or AggregateOperator.Bottomk) ? new List<int>() : null;
        foreach (var group in members)
        {
            context.Checkpoint();
            for (var step = 0; step < whole.Steps; step++)
            {
                switch (node.Operator)
                {
                    case AggregateOperator.LimitRatio:
                        PickRatio(whole, group, step, Math.Clamp(parameter[step], -1, 1), keep);
                        break;
                    case AggregateOperator.Limitk:
                        PickFirst(whole, group, step, Bounded(parameter[step], whole), keep);
                        break;
                    default:
                        PickExtreme(node, whole, group, step, Bounded(parameter[step], whole), isPartial, keep, ranked, context);
                        break;
                }
            }
        }

        return Collect(whole, keep, ranked);
    }

    /// <summary>Which series is picked when several could be goes by labels, whatever the order in which operators below give them.</summary>
    private static int[] ByLabels(Materialised whole)
    {
        var order = new int[whole.Series.Count];
        var labels = new Labels[order.Length];
        for (var i = 0; i < order.Length; i++)
        {
            (order[i], labels[i]) = (i, whole.Series[i].Labels);
        }

        LabelSort.Sort(labels, order);
        return order;
    }

    private static int Bounded(double k, Materialised whole) => (int)Math.Min((long)k, whole.Series.Count);

    private static VectorOperator Collect(Materialised whole, StepBits keep, List<int>? ranked)
    {
        var results = new ResultRows(whole.Steps);
        for (var i = 0; i < (ranked?.Count ?? whole.Series.Count); i++)
        {
            var at = ranked is null ? i : ranked[i];
            keep.Restrict(at, whole.Rows[at].Presence);
            if (!whole.Rows[at].IsEmpty)
            {
                results.Add(whole.Series[at], whole.Rows[at]);
            }
        }

        return results.ToOperator();
    }

    private static void PickFirst(Materialised whole, List<int> group, int step, int k, StepBits keep)
    {
        foreach (var at in group)
        {
            if (k <= 0)
            {
                return;
            }

            if (whole.Rows[at].Has(step))
            {
                keep.Set(at, step);
                k--;
            }
        }
    }

    private static void PickRatio(Materialised whole, List<int> group, int step, double ratio, StepBits keep)
    {
        if (ratio == 0)
        {
            return;
        }

        foreach (var at in group)
        {
            var offset = SamplingOffset.Of(whole.Series[at].Labels);
            if (whole.Rows[at].Has(step) && (ratio > 0 ? offset < ratio : offset >= 1.0 + ratio))
            {
                keep.Set(at, step);
            }
        }
    }

    private static void PickExtreme(
        AggregateNode node, Materialised whole, List<int> group, int step, int k, bool isPartial, StepBits keep, List<int>? ranked, EvaluationContext context)
    {
        if (k <= 0)
        {
            return;
        }

        var heap = new ExtremeHeap(k, isTop: node.Operator == AggregateOperator.Topk);
        foreach (var at in group)
        {
            var row = whole.Rows[at];
            if (!row.Has(step))
            {
                continue;
            }

            if (row.Histogram(step) is not null)
            {
                context.Info($"ignored histogram in {(heap.IsTop ? "topk" : "bottomk")} aggregation", node.Position);
                continue;
            }

            heap.Offer(at, row.Values[step]);
        }

        if (isPartial)
        {
            foreach (var at in group)
            {
                if (whole.Rows[at].Has(step) && (heap.Count < k || !heap.IsWorseThanWorst(whole.Rows[at].Values[step])))
                {
                    keep.Set(at, step);
                }
            }

            return;
        }

        // Only values that reach the k-th are offered in earnest, so that the others, which depend on the shards, cannot disturb the order of ties.
        var settled = new ExtremeHeap(k, heap.IsTop);
        foreach (var at in group)
        {
            var row = whole.Rows[at];
            if (row.Has(step) && row.Histogram(step) is null && !heap.IsWorseThanWorst(row.Values[step]))
            {
                settled.Offer(at, row.Values[step]);
            }
        }

        foreach (var at in settled.BestFirst())
        {
            keep.Set(at, step);
            ranked?.Add(at);
        }
    }

    private static bool CheckParameter(AggregateNode node, double[] values, EvaluationContext context)
    {
        var (min, max, anyNaN) = (double.PositiveInfinity, double.NegativeInfinity, false);
        foreach (var value in values)
        {
            anyNaN |= double.IsNaN(value);
            min = value < min ? value : min;
            max = value > max ? value : max;
        }

        if (node.Operator == AggregateOperator.LimitRatio)
        {
            if (max == 0 && min == 0)
            {
                return false;
            }

            if (anyNaN)
            {
                throw new QueryException(QueryErrorKind.Execution, "Ratio value is NaN");
            }

            if (max > 1)
            {
                context.Warn($"ratio value should be between -1 and 1, got {ShortestNumber.Of(max)}, capping to 1", node.Parameter!.Position);
            }

            if (min < -1)
            {
                context.Warn($"ratio value should be between -1 and 1, got {ShortestNumber.Of(min)}, capping to -1", node.Parameter!.Position);
            }

            return true;
        }

        if (!anyNaN && max < 1)
        {
            return false;
        }

        if (anyNaN)
        {
            throw new QueryException(QueryErrorKind.Execution, "Parameter value is NaN");
        }

        if (min <= long.MinValue)
        {
            throw new QueryException(QueryErrorKind.Execution, $"Scalar value {ShortestNumber.Of(min)} underflows int64");
        }

        if (max >= long.MaxValue)
        {
            throw new QueryException(QueryErrorKind.Execution, $"Scalar value {ShortestNumber.Of(max)} overflows int64");
        }

        return true;
    }
}
