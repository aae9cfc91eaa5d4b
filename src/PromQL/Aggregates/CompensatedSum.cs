using System.Runtime.CompilerServices;

namespace Metrics.PromQL.Aggregates;

/// <summary>Summation that carries the rounding error along.</summary>
/// <remarks>A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974); the compensation is dropped when the sum overflows.</remarks>
internal static class CompensatedSum
{
    /// <summary>Adds a term to a sum and its compensation.</summary>
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
            compensation += (sum - total) + term;
        }
        else
        {
            compensation += (term - total) + sum;
        }

        sum = total;
    }
}
