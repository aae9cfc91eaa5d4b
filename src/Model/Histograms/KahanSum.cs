using System.Runtime.CompilerServices;

namespace Metrics.Model;

/// <summary>Summation that carries what rounding lost.</summary>
/// <remarks>Kahan's algorithm with Neumaier's improvement; the term is dropped once the sum is infinite.</remarks>
public static class KahanSum
{
    /// <summary>Adds to a sum and its compensation; the total is sum + compensation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(double term, ref double sum, ref double compensation)
    {
        var total = sum + term;
        if (double.IsInfinity(total))
        {
            compensation = 0;
        }
        else if (Math.Abs(sum) >= Math.Abs(term))
        {
            compensation += sum - total + term;
        }
        else
        {
            compensation += term - total + sum;
        }

        sum = total;
    }
}
