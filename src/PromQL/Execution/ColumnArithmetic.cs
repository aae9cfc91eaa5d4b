using System.Numerics;
using System.Runtime.InteropServices;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>A binary operation between two rows of floats, as wide as the machine's vectors.</summary>
internal static class ColumnArithmetic
{
    /// <summary>Sets an empty row to the results at the steps both sides have.</summary>
    public static void Compute(BinaryOperator op, bool returnBool, StepRow left, StepRow right, StepRow into)
    {
        var a = left.Values;
        var b = right.Values;
        var result = into.Values;
        var words = into.Presence;
        var leftWords = left.Presence;
        var rightWords = right.Presence;
        for (var word = 0; word < words.Length; word++)
        {
            words[word] = leftWords[word] & rightWords[word];
        }

        if (OperatorKinds.IsComparison(op))
        {
            Compare(op, returnBool, a, b, result, words);
        }
        else
        {
            Arithmetic(op, a, b, result);
        }
    }

    private static void Compare(BinaryOperator op, bool returnBool, Span<double> a, Span<double> b, Span<double> result, Span<ulong> words)
    {
        for (var step = 0; step < a.Length; step++)
        {
            var holds = ScalarArithmetic.Compare(op, a[step], b[step]);
            if (returnBool)
            {
                result[step] = holds ? 1 : 0;
            }
            else
            {
                result[step] = a[step];
                if (!holds)
                {
                    words[step >> 6] &= ~(1UL << (step & 63));
                }
            }
        }
    }

    private static void Arithmetic(BinaryOperator op, Span<double> a, Span<double> b, Span<double> result)
    {
        var left = MemoryMarshal.Cast<double, Vector<double>>(a);
        var right = MemoryMarshal.Cast<double, Vector<double>>(b);
        var into = MemoryMarshal.Cast<double, Vector<double>>(result);
        var done = into.Length * Vector<double>.Count;
        switch (op)
        {
            case BinaryOperator.Add:
                for (var i = 0; i < into.Length; i++)
                {
                    into[i] = left[i] + right[i];
                }

                break;
            case BinaryOperator.Sub:
                for (var i = 0; i < into.Length; i++)
                {
                    into[i] = left[i] - right[i];
                }

                break;
            case BinaryOperator.Mul:
                for (var i = 0; i < into.Length; i++)
                {
                    into[i] = left[i] * right[i];
                }

                break;
            case BinaryOperator.Div:
                for (var i = 0; i < into.Length; i++)
                {
                    into[i] = left[i] / right[i];
                }

                break;
            default:
                done = 0;
                break;
        }

        for (var i = done; i < result.Length; i++)
        {
            result[i] = ScalarArithmetic.Compute(op, a[i], b[i]);
        }
    }
}
