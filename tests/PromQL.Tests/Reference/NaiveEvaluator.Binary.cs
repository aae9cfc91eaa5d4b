using Metrics.Model;
using Metrics.PromQL.Parsing;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Tests.Reference;

/// <summary>Binary operators of the naive evaluator.</summary>
internal sealed partial class NaiveEvaluator
{
    private List<NaiveElement> Binary(BinaryExpr binary, long timeMs)
    {
        var left = Evaluate(binary.Left, timeMs);
        var right = Evaluate(binary.Right, timeMs);
        if (binary.Left.Type == ValueType.Scalar && binary.Right.Type == ValueType.Scalar)
        {
            return Scalar(IsComparison(binary.Operator) ? (Compare(binary.Operator, left[0].Value, right[0].Value) ? 1 : 0) : Calculate(binary.Operator, left[0].Value, right[0].Value));
        }

        if (binary.Matching is null)
        {
            return VectorScalar(binary, left, right);
        }

        return binary.Operator switch
        {
            BinaryOperator.And => [.. left.Where(l => right.Any(r => Key(l.Labels, binary.Matching).Equals(Key(r.Labels, binary.Matching))))],
            BinaryOperator.Unless => [.. left.Where(l => !right.Any(r => Key(l.Labels, binary.Matching).Equals(Key(r.Labels, binary.Matching))))],
            BinaryOperator.Or => [.. left, .. right.Where(r => !left.Any(l => Key(l.Labels, binary.Matching).Equals(Key(r.Labels, binary.Matching))))],
            _ => VectorVector(binary, left, right),
        };
    }

    private static List<NaiveElement> VectorScalar(BinaryExpr binary, List<NaiveElement> left, List<NaiveElement> right)
    {
        var vectorIsLeft = binary.Left.Type == ValueType.Vector;
        var vector = vectorIsLeft ? left : right;
        var scalar = (vectorIsLeft ? right : left)[0].Value;
        var result = new List<NaiveElement>();
        foreach (var element in vector)
        {
            if (element.Histogram is not null)
            {
                if ((binary.Operator == BinaryOperator.Mul) || (binary.Operator == BinaryOperator.Div && vectorIsLeft))
                {
                    var scaled = binary.Operator == BinaryOperator.Mul ? element.Histogram.Copy().Multiply(scalar).Compact(0) : element.Histogram.Copy().Divide(scalar).Compact(0);
                    result.Add(new(DropName(element.Labels), double.NaN, scaled));
                }

                continue; // Any other operation between a histogram and a number has no result, only an info.
            }

            var (a, b) = vectorIsLeft ? (element.Value, scalar) : (scalar, element.Value);
            if (!IsComparison(binary.Operator))
            {
                result.Add(new(DropName(element.Labels), Calculate(binary.Operator, a, b), null));
            }
            else if (binary.ReturnBool)
            {
                result.Add(new(DropName(element.Labels), Compare(binary.Operator, a, b) ? 1 : 0, null));
            }
            else if (Compare(binary.Operator, a, b))
            {
                result.Add(element);
            }
        }

        return Distinct(result);
    }

    private static List<NaiveElement> VectorVector(BinaryExpr binary, List<NaiveElement> left, List<NaiveElement> right)
    {
        var matching = binary.Matching!;
        var manyIsLeft = matching.Cardinality != MatchCardinality.OneToMany;
        var (many, one) = manyIsLeft ? (left, right) : (right, left);
        if (many.Count == 0 || one.Count == 0)
        {
            return []; // Prometheus returns early, before it looks for duplicates.
        }

        var duplicate = one.GroupBy(e => Key(e.Labels, matching)).FirstOrDefault(g => g.Count() > 1);
        if (duplicate is not null)
        {
            throw new NaiveFailure($"found duplicate series for the match group {duplicate.Key}");
        }

        var result = new List<NaiveElement>();
        var matched = new HashSet<Labels>();
        var results = new HashSet<Labels>();
        foreach (var m in many)
        {
            var key = Key(m.Labels, matching);
            var partner = one.FindIndex(o => Key(o.Labels, matching).Equals(key));
            if (partner < 0)
            {
                continue;
            }

            var o = one[partner];
            var (l, r) = manyIsLeft ? (m, o) : (o, m);
            var computed = Compute(binary, l, r);
            if (computed is null)
            {
                continue;
            }

            var labels = ResultLabels(binary, m.Labels, o.Labels);
            if (matching.Cardinality == MatchCardinality.OneToOne ? !matched.Add(key) : !results.Add(labels))
            {
                throw new NaiveFailure("multiple matches for labels");
            }

            result.Add(computed.Value with { Labels = labels });
        }

        return result;
    }

    private static NaiveElement? Compute(BinaryExpr binary, NaiveElement l, NaiveElement r)
    {
        if (l.Histogram is { } a && r.Histogram is { } b && binary.Operator is (BinaryOperator.Eql or BinaryOperator.Neq))
        {
            var keep = a.HasSameDataAs(b) == (binary.Operator == BinaryOperator.Eql);
            return binary.ReturnBool ? new(Labels.Empty, keep ? 1 : 0, null) : keep ? l : null;
        }

        if (l.Histogram is not null || r.Histogram is not null)
        {
            return ComputeHistograms(binary, l, r);
        }

        if (!IsComparison(binary.Operator))
        {
            return new(Labels.Empty, Calculate(binary.Operator, l.Value, r.Value), null);
        }

        var holds = Compare(binary.Operator, l.Value, r.Value);
        return binary.ReturnBool ? new(Labels.Empty, holds ? 1 : 0, null) : holds ? l : null;
    }

    private static NaiveElement? ComputeHistograms(BinaryExpr binary, NaiveElement l, NaiveElement r) => (binary.Operator, l.Histogram, r.Histogram) switch
    {
        (BinaryOperator.Add, { } a, { } b) => new(Labels.Empty, double.NaN, a.Copy().Add(b).Compact(0)),
        (BinaryOperator.Sub, { } a, { } b) => new(Labels.Empty, double.NaN, a.Copy().Subtract(b).Compact(0)),
        (BinaryOperator.Mul, { } a, null) => new(Labels.Empty, double.NaN, a.Copy().Multiply(r.Value).Compact(0)),
        (BinaryOperator.Mul, null, { } b) => new(Labels.Empty, double.NaN, b.Copy().Multiply(l.Value).Compact(0)),
        (BinaryOperator.Div, { } a, null) => new(Labels.Empty, double.NaN, a.Copy().Divide(r.Value).Compact(0)),
        _ => null,
    };

    private static Labels Key(Labels labels, VectorMatching matching)
    {
        var builder = new LabelsBuilder();
        foreach (var (name, value) in labels.AsEnumerable())
        {
            if (matching.On ? matching.MatchingLabels.Contains(name) : name != Labels.MetricName && !matching.MatchingLabels.Contains(name))
            {
                builder.Set(name, value);
            }
        }

        return builder.ToLabels();
    }

    private static Labels ResultLabels(BinaryExpr binary, Labels many, Labels one)
    {
        var matching = binary.Matching!;
        var builder = new LabelsBuilder().Reset(many);
        if (!IsComparison(binary.Operator) || binary.ReturnBool)
        {
            builder.Remove(Labels.MetricName);
        }

        if (matching.Cardinality == MatchCardinality.OneToOne)
        {
            foreach (var (name, _) in many.AsEnumerable())
            {
                if (matching.On ? !matching.MatchingLabels.Contains(name) : matching.MatchingLabels.Contains(name))
                {
                    builder.Remove(name);
                }
            }
        }

        foreach (var name in matching.Include)
        {
            builder.Set(name, one[name]);
        }

        return builder.ToLabels();
    }

    private static bool IsComparison(BinaryOperator op) => op is >= BinaryOperator.Eql and <= BinaryOperator.Lte;

    private static double Calculate(BinaryOperator op, double a, double b) => op switch
    {
        BinaryOperator.Add => a + b,
        BinaryOperator.Sub => a - b,
        BinaryOperator.Mul => a * b,
        BinaryOperator.Div => a / b,
        BinaryOperator.Mod => a % b,
        BinaryOperator.Pow => Math.Pow(a, b),
        BinaryOperator.Atan2 => Math.Atan2(a, b),
        _ => throw new NotSupportedException($"no number for {op}"),
    };

    private static bool Compare(BinaryOperator op, double a, double b) => op switch
    {
        BinaryOperator.Eql => a == b,
        BinaryOperator.Neq => a != b,
        BinaryOperator.Gtr => a > b,
        BinaryOperator.Lss => a < b,
        BinaryOperator.Gte => a >= b,
        _ => a <= b,
    };
}
