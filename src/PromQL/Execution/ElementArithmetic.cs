using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>One sample of a binary operation.</summary>
internal readonly record struct Operand(double Value, FloatHistogram? Histogram);

/// <summary>What became of two samples: nothing when the types do not fit; else a result, and whether a comparison keeps it.</summary>
internal readonly record struct Outcome(bool IsValid, bool Keep, Operand Result);

/// <summary>Binary operators on samples, floats and histograms alike.</summary>
internal static class ElementArithmetic
{
    /// <summary>Computes one element; remarks go to the context.</summary>
    public static Outcome Compute(BinaryOperator op, Operand left, Operand right, PositionRange position, EvaluationContext context)
    {
        switch (left.Histogram, right.Histogram)
        {
            case (null, null):
                if (op is BinaryOperator.TrimLower or BinaryOperator.TrimUpper)
                {
                    break;
                }

                return OperatorKinds.IsComparison(op)
                    ? new Outcome(true, ScalarArithmetic.Compare(op, left.Value, right.Value), left)
                    : Result(ScalarArithmetic.Compute(op, left.Value, right.Value));
            case (null, { } histogram):
                if (op == BinaryOperator.Mul)
                {
                    return Result(HistogramArithmetic.Scale(histogram, left.Value, compact: true));
                }

                break;
            case ({ } histogram, null):
                switch (op)
                {
                    case BinaryOperator.Mul:
                        return Result(HistogramArithmetic.Scale(histogram, right.Value, compact: true));
                    case BinaryOperator.Div:
                        return Result(HistogramArithmetic.Divide(histogram, right.Value));
                    case BinaryOperator.TrimUpper or BinaryOperator.TrimLower:
                        return Result(HistogramArithmetic.Trim(histogram, right.Value, op == BinaryOperator.TrimUpper));
                }

                break;
            case ({ } a, { } b):
                switch (op)
                {
                    case BinaryOperator.Add or BinaryOperator.Sub:
                        var sum = HistogramArithmetic.AddOrSubtract(a, b, op == BinaryOperator.Sub, position, context);
                        return sum is null ? default : Result(sum);
                    case BinaryOperator.Eql:
                        return new Outcome(true, HistogramArithmetic.AreEqual(a, b), left);
                    case BinaryOperator.Neq:
                        return new Outcome(true, !HistogramArithmetic.AreEqual(a, b), left);
                }

                break;
        }

        var text = Printer.NameOf(op);
        context.Info($"incompatible sample types encountered for binary operator \"{text}\": {Kind(left)} {text} {Kind(right)}", position);
        return default;
    }

    private static string Kind(Operand operand) => operand.Histogram is null ? "float" : "histogram";

    private static Outcome Result(double value) => new(true, true, new Operand(value, null));

    private static Outcome Result(FloatHistogram histogram) => new(true, true, new Operand(0, histogram));
}
