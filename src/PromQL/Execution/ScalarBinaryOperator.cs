using System.Numerics;
using System.Runtime.InteropServices;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>A binary operation between a vector and a scalar.</summary>
internal sealed class ScalarBinaryOperator : VectorOperator
{
    private readonly BinaryNode node;
    private readonly VectorOperator inner;
    private readonly double[] scalar;
    private readonly bool scalarIsLeft;
    private readonly EvaluationContext context;
    private readonly IReadOnlyList<SeriesHeader> series;

    public ScalarBinaryOperator(BinaryNode node, VectorOperator inner, double[] scalar, bool scalarIsLeft, EvaluationContext context)
    {
        this.node = node;
        this.inner = inner;
        this.scalar = scalar;
        this.scalarIsLeft = scalarIsLeft;
        this.context = context;
        series = node.ReturnBool || OperatorKinds.ChangesMeaning(node.Operator) ? HeaderMap.DropNames(inner.Series, context) : inner.Series;
    }

    /// <inheritdoc/>
    public override int Steps => inner.Steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => series;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        var batch = inner.Next();
        for (var row = 0; row < batch?.Series; row++)
        {
            var values = batch.Row(row);
            if (values.IsEmpty)
            {
                continue;
            }

            if (values.AnyHistogram || node.Operator is BinaryOperator.TrimLower or BinaryOperator.TrimUpper)
            {
                Mixed(values);
            }
            else if (OperatorKinds.IsComparison(node.Operator))
            {
                Filter(values);
            }
            else
            {
                Compute(values.Values);
            }
        }

        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();

    private void Compute(Span<double> values)
    {
        var wide = MemoryMarshal.Cast<double, Vector<double>>(values);
        var other = MemoryMarshal.Cast<double, Vector<double>>(scalar.AsSpan(0, values.Length));
        var done = wide.Length * Vector<double>.Count;
        switch (node.Operator)
        {
            case BinaryOperator.Add:
                for (var i = 0; i < wide.Length; i++)
                {
                    wide[i] += other[i];
                }

                break;
            case BinaryOperator.Mul:
                for (var i = 0; i < wide.Length; i++)
                {
                    wide[i] *= other[i];
                }

                break;
            case BinaryOperator.Sub:
                for (var i = 0; i < wide.Length; i++)
                {
                    wide[i] = scalarIsLeft ? other[i] - wide[i] : wide[i] - other[i];
                }

                break;
            case BinaryOperator.Div:
                for (var i = 0; i < wide.Length; i++)
                {
                    wide[i] = scalarIsLeft ? other[i] / wide[i] : wide[i] / other[i];
                }

                break;
            default:
                done = 0;
                break;
        }

        for (var i = done; i < values.Length; i++)
        {
            values[i] = scalarIsLeft ? ScalarArithmetic.Compute(node.Operator, scalar[i], values[i]) : ScalarArithmetic.Compute(node.Operator, values[i], scalar[i]);
        }
    }

    private void Filter(StepRow row)
    {
        var values = row.Values;
        var presence = row.Presence;
        for (var step = 0; step < values.Length; step++)
        {
            var holds = scalarIsLeft
                ? ScalarArithmetic.Compare(node.Operator, scalar[step], values[step])
                : ScalarArithmetic.Compare(node.Operator, values[step], scalar[step]);
            if (node.ReturnBool)
            {
                values[step] = holds ? 1 : 0;
            }
            else if (!holds)
            {
                presence[step >> 6] &= ~(1UL << (step & 63));
            }
        }
    }

    private void Mixed(StepRow row)
    {
        for (var step = 0; step < row.Steps; step++)
        {
            if (!row.Has(step))
            {
                continue;
            }

            var mine = new Operand(row.Values[step], row.Histogram(step));
            var other = new Operand(scalar[step], null);
            var outcome = scalarIsLeft
                ? ElementArithmetic.Compute(node.Operator, other, mine, node.Position, context)
                : ElementArithmetic.Compute(node.Operator, mine, other, node.Position, context);
            if (!outcome.IsValid)
            {
                row.Clear(step);
            }
            else if (node.ReturnBool)
            {
                row.Set(step, outcome.Keep ? 1 : 0);
            }
            else if (!outcome.Keep)
            {
                row.Clear(step);
            }
            else if (OperatorKinds.IsComparison(node.Operator))
            {
                // A comparison keeps the vector's own sample, whichever side it is on.
            }
            else if (outcome.Result.Histogram is { } histogram)
            {
                row.Set(step, histogram);
            }
            else
            {
                row.Set(step, outcome.Result.Value);
            }
        }
    }
}
