using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Tests.Reference;

/// <summary>One element of an instant vector.</summary>
internal readonly record struct NaiveElement(Labels Labels, double Value, FloatHistogram? Histogram);

/// <summary>The query fails, as Prometheus would fail it.</summary>
internal sealed class NaiveFailure(string message) : Exception(message);

/// <summary>
/// Evaluates PromQL the slow and obvious way: each step by itself, each window by filtering all samples, each match by comparing all labels. It shares nothing with the
/// engine but the syntax tree and the arithmetic of native histograms, so that an error in planning, slicing, sliding or merging shows as a difference.
/// </summary>
internal sealed partial class NaiveEvaluator(IReadOnlyList<NaiveSeries> data, TimeGrid query, long lookbackMs, long subqueryStepMs)
{
    /// <summary>Evaluates a vector or scalar expression at one instant; a scalar is one element without labels.</summary>
    public List<NaiveElement> Evaluate(Expr expr, long timeMs) => expr switch
    {
        NumberLiteral number => Scalar(number.Value),
        ParenExpr paren => Evaluate(paren.Inner, timeMs),
        UnaryExpr unary => unary.IsMinus
            ? Map(Evaluate(unary.Operand, timeMs), e => e with { Labels = DropName(e.Labels), Value = -e.Value, Histogram = e.Histogram?.Copy().Multiply(-1) })
            : Evaluate(unary.Operand, timeMs),
        VectorSelector selector => Select(selector, timeMs),
        AggregateExpr aggregate => Aggregate(aggregate, timeMs),
        BinaryExpr binary => Binary(binary, timeMs),
        CallExpr call => Call(call, timeMs),
        _ => throw new NotSupportedException($"the naive evaluator has no {expr.GetType().Name}"),
    };

    private static List<NaiveElement> Scalar(double value) => [new(Labels.Empty, value, null)];

    private static List<NaiveElement> Map(List<NaiveElement> vector, Func<NaiveElement, NaiveElement> f) => Distinct(vector.ConvertAll(e => f(e)));

    private static List<NaiveElement> Distinct(List<NaiveElement> vector) =>
        vector.Select(e => e.Labels).Distinct().Count() == vector.Count ? vector : throw new NaiveFailure("vector cannot contain metrics with the same labelset");

    private static Labels DropName(Labels labels) => new LabelsBuilder().Reset(labels).Remove(Labels.MetricName).ToLabels();

    private double ScalarOf(Expr expr, long timeMs) => Evaluate(expr, timeMs)[0].Value;

    private long Anchor(AtModifier at, DurationValue offset, long timeMs) => -offset.Ms + at.Kind switch
    {
        AtKind.Timestamp => at.TimeMs,
        AtKind.Start => query.StartMs,
        AtKind.End => query.EndMs,
        _ => timeMs,
    };

    private IEnumerable<NaiveSeries> Matching(VectorSelector selector) => data.Where(s => selector.Matchers.All(m => m.Matches(s.Labels.Get(m.NameBytes))));

    private List<NaiveElement> Select(VectorSelector selector, long timeMs)
    {
        var at = Anchor(selector.At, selector.Offset, timeMs);
        var found = new List<NaiveElement>();
        foreach (var series in Matching(selector))
        {
            var candidates = series.Samples.Where(s => s.TimeMs > at - lookbackMs && s.TimeMs <= at).ToList();
            if (candidates.Count > 0 && !candidates[^1].IsStale)
            {
                found.Add(new(series.Labels, candidates[^1].Value, candidates[^1].Histogram));
            }
        }

        return found;
    }

    /// <summary>The windows of a range expression: per series the samples, without stale markers, and the window's bounds.</summary>
    private (List<NaiveSeries> Windows, long StartMs, long EndMs) Windows(Expr expr, long timeMs)
    {
        switch (expr)
        {
            case ParenExpr paren:
                return Windows(paren.Inner, timeMs);
            case MatrixSelector matrix:
                {
                    var end = Anchor(matrix.Selector.At, matrix.Selector.Offset, timeMs);
                    var start = end - matrix.Range.Ms;
                    return ([.. Matching(matrix.Selector)
                        .Select(s => new NaiveSeries(s.Labels, [.. s.Samples.Where(p => p.TimeMs > start && p.TimeMs <= end && !p.IsStale)]))
                        .Where(s => s.Samples.Count > 0)], start, end);
                }

            case SubqueryExpr subquery:
                {
                    var end = Anchor(subquery.At, subquery.Offset, timeMs);
                    var start = end - subquery.Range.Ms;
                    var step = subquery.Step?.Ms ?? subqueryStepMs;
                    var series = new Dictionary<Labels, NaiveSeries>();
                    for (var t = FloorTo(start, step) + step; t <= end; t += step)
                    {
                        foreach (var element in Evaluate(subquery.Inner, t))
                        {
                            if (!series.TryGetValue(element.Labels, out var into))
                            {
                                series[element.Labels] = into = new(element.Labels, []);
                            }

                            into.Samples.Add(new(t, element.Value, element.Histogram));
                        }
                    }

                    return ([.. series.Values], start, end);
                }

            default:
                throw new NotSupportedException($"the naive evaluator has no windows of {expr.GetType().Name}");
        }
    }

    private static long FloorTo(long value, long step) => value - (((value % step) + step) % step);

    private List<NaiveElement> Aggregate(AggregateExpr aggregate, long timeMs)
    {
        var result = new List<NaiveElement>();
        var groups = Evaluate(aggregate.Inner, timeMs).GroupBy(e => GroupLabels(e.Labels, aggregate));
        foreach (var group in groups)
        {
            // By labels: they decide ties, and which series limitk keeps.
            var members = group.OrderBy(e => e.Labels).ToList();
            var floats = members.Where(e => e.Histogram is null).Select(e => e.Value).ToList();
            var histograms = members.Where(e => e.Histogram is not null).Select(e => e.Histogram!).ToList();
            switch (aggregate.Operator)
            {
                case AggregateOperator.Sum or AggregateOperator.Avg when histograms.Count > 0 && floats.Count > 0:
                    break; // Mixed: no result, a warning.
                case AggregateOperator.Sum or AggregateOperator.Avg when histograms.Count > 0:
                    var sum = histograms.Skip(1).Aggregate(histograms[0].Copy(), (a, b) => a.Add(b));
                    result.Add(new(group.Key, double.NaN, (aggregate.Operator == AggregateOperator.Sum ? sum : sum.Divide(histograms.Count)).Compact(0)));
                    break;
                case AggregateOperator.Sum:
                    result.Add(new(group.Key, ExactSum(floats), null));
                    break;
                case AggregateOperator.Avg:
                    result.Add(new(group.Key, Mean(floats), null));
                    break;
                case AggregateOperator.Count:
                    result.Add(new(group.Key, members.Count, null));
                    break;
                case AggregateOperator.Group:
                    result.Add(new(group.Key, 1, null));
                    break;
                case AggregateOperator.Min when floats.Count > 0:
                    result.Add(new(group.Key, Extreme(floats, -1), null));
                    break;
                case AggregateOperator.Max when floats.Count > 0:
                    result.Add(new(group.Key, Extreme(floats, 1), null));
                    break;
                case AggregateOperator.Stddev when floats.Count > 0:
                    result.Add(new(group.Key, Math.Sqrt(Variance(floats)), null));
                    break;
                case AggregateOperator.Stdvar when floats.Count > 0:
                    result.Add(new(group.Key, Variance(floats), null));
                    break;
                case AggregateOperator.Quantile when floats.Count > 0:
                    result.Add(new(group.Key, Quantile(ScalarOf(aggregate.Parameter!, timeMs), floats), null));
                    break;
                case AggregateOperator.Topk or AggregateOperator.Bottomk:
                    result.AddRange(Best((int)ScalarOf(aggregate.Parameter!, timeMs), [.. members.Where(e => e.Histogram is null)], aggregate.Operator == AggregateOperator.Topk));
                    break;
                case AggregateOperator.Limitk:
                    result.AddRange(members.Take((int)ScalarOf(aggregate.Parameter!, timeMs)));
                    break;
                case AggregateOperator.Min or AggregateOperator.Max or AggregateOperator.Stddev or AggregateOperator.Stdvar or AggregateOperator.Quantile:
                    break; // Histograms only: ignored.
                default:
                    throw new NotSupportedException($"the naive evaluator has no {aggregate.Operator}");
            }
        }

        return result;
    }

    /// <summary>
    /// The k best. Which of several equal ones make it is the one thing that is not obvious: those that survive in a heap with the worst at its root, as Go keeps it, when all
    /// that are worse than the k-th are left out beforehand.
    /// </summary>
    private static List<NaiveElement> Best(int k, List<NaiveElement> members, bool isTop)
    {
        bool Worse(NaiveElement a, NaiveElement b) => double.IsNaN(a.Value) ? !double.IsNaN(b.Value) : !double.IsNaN(b.Value) && (isTop ? a.Value < b.Value : a.Value > b.Value);
        var ranked = members.OrderBy(e => double.IsNaN(e.Value)).ThenBy(e => isTop ? -e.Value : e.Value).ToList();
        var heap = new List<NaiveElement>();
        foreach (var member in members.Where(m => ranked.Count <= k || !Worse(m, ranked[k - 1])))
        {
            int at;
            if (heap.Count < k)
            {
                heap.Add(member);
                for (at = heap.Count - 1; at > 0 && Worse(heap[at], heap[(at - 1) / 2]); at = (at - 1) / 2)
                {
                    (heap[at], heap[(at - 1) / 2]) = (heap[(at - 1) / 2], heap[at]);
                }
            }
            else if (Worse(heap[0], member))
            {
                heap[0] = member;
                for (at = 0; (2 * at) + 1 < heap.Count;)
                {
                    var child = (2 * at) + 2 < heap.Count && Worse(heap[(2 * at) + 2], heap[(2 * at) + 1]) ? (2 * at) + 2 : (2 * at) + 1;
                    if (!Worse(heap[child], heap[at]))
                    {
                        break;
                    }

                    (heap[at], heap[child]) = (heap[child], heap[at]);
                    at = child;
                }
            }
        }

        return heap;
    }

    private static Labels GroupLabels(Labels labels, AggregateExpr aggregate)
    {
        var builder = new LabelsBuilder();
        foreach (var (name, value) in labels.AsEnumerable())
        {
            if (aggregate.Without ? name != Labels.MetricName && !aggregate.Grouping.Contains(name) : aggregate.Grouping.Contains(name))
            {
                builder.Set(name, value);
            }
        }

        return builder.ToLabels();
    }

    /// <summary>A sum with the error of additions carried along (Neumaier), so that the order of addition does not show.</summary>
    private static double ExactSum(IEnumerable<double> values)
    {
        double sum = 0, error = 0;
        foreach (var value in values)
        {
            var next = sum + value;
            if (double.IsFinite(next))
            {
                error += Math.Abs(sum) >= Math.Abs(value) ? sum - next + value : value - next + sum;
            }

            sum = next;
        }

        return double.IsFinite(sum) ? sum + error : sum;
    }

    private static double Mean(List<double> values)
    {
        var sum = ExactSum(values);
        return double.IsFinite(sum) || values.Any(v => !double.IsFinite(v)) ? sum / values.Count : ExactSum(values.Select(v => v / values.Count));
    }

    private static double Variance(List<double> values)
    {
        var mean = Mean(values);
        return values.Any(v => !double.IsFinite(v)) ? double.NaN : ExactSum(values.Select(v => (v - mean) * (v - mean))) / values.Count;
    }

    private static double Extreme(List<double> values, int sign)
    {
        var numbers = values.Where(v => !double.IsNaN(v)).ToList();
        return numbers.Count == 0 ? double.NaN : sign > 0 ? numbers.Max() : numbers.Min();
    }

    private static double Quantile(double q, List<double> values)
    {
        if (values.Count == 0 || double.IsNaN(q))
        {
            return double.NaN;
        }

        if (q is < 0 or > 1)
        {
            return q < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        }

        var sorted = values.OrderBy(v => double.IsNaN(v) ? 0 : 1).ThenBy(v => v).ToList();
        var rank = q * (sorted.Count - 1);
        var low = (int)Math.Floor(rank);
        var high = Math.Min(low + 1, sorted.Count - 1);
        var weight = rank - low;
        return (sorted[low] * (1 - weight)) + (sorted[high] * weight);
    }
}
