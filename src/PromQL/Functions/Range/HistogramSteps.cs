using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>Sums and differences of histograms in a window, with their remarks.</summary>
internal static class HistogramSteps
{
    /// <summary>Adds in place; false, with a remark, when schemas do not go together.</summary>
    public static bool TryAdd(FloatHistogram sum, FloatHistogram term, Remarks remarks)
    {
        var fits = sum.TryAdd(term, out var found);
        Report(fits, found, "addition", remarks);
        return fits;
    }

    /// <summary>Subtracts in place; false, with a remark, when schemas do not go together.</summary>
    public static bool TrySubtract(FloatHistogram from, FloatHistogram term, Remarks remarks)
    {
        var fits = from.TrySubtract(term, out var found);
        Report(fits, found, "subtraction", remarks);
        return fits;
    }

    private static void Report(bool fits, HistogramReconciliation found, string operation, Remarks remarks)
    {
        if (!fits)
        {
            remarks.MixedSchemas();
        }
        else if (found.HasFlag(HistogramReconciliation.CustomBounds))
        {
            remarks.ReconciledIn(operation);
        }
    }
}
