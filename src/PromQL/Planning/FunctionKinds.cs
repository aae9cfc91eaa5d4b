using System.Collections.Frozen;

namespace Metrics.PromQL.Planning;

/// <summary>Which functions can be computed series by series.</summary>
internal static class FunctionKinds
{
    private static readonly FrozenSet<string> elementwise = new[]
    {
        "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min", "cos", "cosh", "day_of_month", "day_of_week",
        "day_of_year", "days_in_month", "deg", "exp", "floor", "histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar",
        "histogram_sum", "hour", "ln", "log10", "log2", "minute", "month", "rad", "round", "sgn", "sin", "sinh", "sqrt", "start_timestamp", "tan",
        "tanh", "timestamp", "year",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>True when each result depends on one sample and scalars.</summary>
    public static bool IsElementwise(string name) => elementwise.Contains(name);
}
