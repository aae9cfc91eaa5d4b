namespace Metrics.SideBySide;

/// <summary>Order statistics and means of a few values.</summary>
internal static class Statistics
{
    /// <summary>The nearest value at a rank from 0 to 1; NaN of nothing.</summary>
    public static double Quantile(IEnumerable<double> values, double rank)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? double.NaN : sorted[Math.Min(sorted.Count - 1, (int)(rank * sorted.Count))];
    }

    /// <summary>The geometric mean of positive values; NaN of nothing.</summary>
    public static double GeometricMean(IReadOnlyCollection<double> values) => values.Count == 0 ? double.NaN : Math.Exp(values.Average(Math.Log));
}
