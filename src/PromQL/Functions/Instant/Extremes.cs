namespace Metrics.PromQL.Functions;

/// <summary>Minimum and maximum as Go computes them: an infinity that decides wins even over NaN.</summary>
internal static class Extremes
{
    /// <summary>The smaller; -Inf if either is, else NaN if either is.</summary>
    public static double Min(double a, double b) => double.IsNegativeInfinity(a) || double.IsNegativeInfinity(b) ? double.NegativeInfinity : Math.Min(a, b);

    /// <summary>The larger; +Inf if either is, else NaN if either is.</summary>
    public static double Max(double a, double b) => double.IsPositiveInfinity(a) || double.IsPositiveInfinity(b) ? double.PositiveInfinity : Math.Max(a, b);
}
