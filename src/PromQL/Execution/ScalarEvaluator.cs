using Metrics.PromQL.Functions;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Computes scalars: one number per step.</summary>
internal static class ScalarEvaluator
{
    /// <summary>The values of a scalar at all steps of its grid.</summary>
    public static double[] Evaluate(PlanNode node, OperatorFactory operators)
    {
        var values = new double[node.Grid.Count];
        switch (node)
        {
            case NumberNode number:
                Array.Fill(values, number.Value);
                break;
            case BroadcastNode broadcast:
                Array.Fill(values, Evaluate(broadcast.Inner, operators)[0]);
                break;
            case NegateNode negate:
                values = Evaluate(negate.Inner, operators);
                for (var step = 0; step < values.Length; step++)
                {
                    values[step] = -values[step];
                }

                break;
            case BinaryNode binary:
                values = Evaluate(binary.Left, operators);
                var right = Evaluate(binary.Right, operators);
                for (var step = 0; step < values.Length; step++)
                {
                    values[step] = ScalarArithmetic.Compute(binary.Operator, values[step], right[step]);
                }

                break;
            case CallNode { Name: "time" }:
                for (var step = 0; step < values.Length; step++)
                {
                    values[step] = node.Grid.At(step) / 1000.0;
                }

                break;
            case CallNode { Name: "min_of" or "max_of" } call:
                values = Evaluate(call.Arguments[0], operators);
                var other = Evaluate(call.Arguments[1], operators);
                for (var step = 0; step < values.Length; step++)
                {
                    values[step] = call.Name == "min_of" ? Extremes.Min(values[step], other[step]) : Extremes.Max(values[step], other[step]);
                }

                break;
            case CallNode { Name: "scalar" } call:
                OfVector(call.Arguments[0], operators, values);
                break;
            default:
                throw new QueryException(QueryErrorKind.Internal, $"no scalar: {PlanText.Of(node)}");
        }

        return values;
    }

    /// <summary><c>scalar()</c>: the value of the one float sample at a step, NaN where there is none or several.</summary>
    private static void OfVector(PlanNode vector, OperatorFactory operators, double[] values)
    {
        Array.Fill(values, double.NaN);
        var counts = new int[values.Length];
        using var source = operators.Build(vector);
        while (source.Next() is { } batch)
        {
            using (batch)
            {
                for (var i = 0; i < batch.Series; i++)
                {
                    var row = batch.Row(i);
                    for (var step = 0; step < values.Length; step++)
                    {
                        if (row.Has(step) && row.Histogram(step) is null)
                        {
                            values[step] = ++counts[step] == 1 ? row.Values[step] : double.NaN;
                        }
                    }
                }
            }
        }
    }
}
