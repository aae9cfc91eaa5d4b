using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using Metrics.PromQL.Parsing;
using static Metrics.PromQL.Parsing.ValueType;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL;

/// <summary>The functions of PromQL 3.14: names, argument types, how many may be left out, what they give, and which are experimental.</summary>
/// <remarks>The facts are those of prometheus/prometheus promql/parser/functions.go; <see cref="FunctionSignature.Variadic"/> tells how counts are read.</remarks>
public static class FunctionSignatures
{
    private const ValueType Text = ValueType.String;

    private static readonly FrozenDictionary<string, FunctionSignature> byName = new[]
    {
        Stable("abs", 0, Vector, Vector),
        Stable("absent", 0, Vector, Vector),
        Stable("absent_over_time", 0, Vector, Matrix),
        Stable("acos", 0, Vector, Vector),
        Stable("acosh", 0, Vector, Vector),
        Stable("asin", 0, Vector, Vector),
        Stable("asinh", 0, Vector, Vector),
        Stable("atan", 0, Vector, Vector),
        Stable("atanh", 0, Vector, Vector),
        Stable("avg_over_time", 0, Vector, Matrix),
        Stable("ceil", 0, Vector, Vector),
        Stable("changes", 0, Vector, Matrix),
        Stable("clamp", 0, Vector, Vector, Scalar, Scalar),
        Stable("clamp_max", 0, Vector, Vector, Scalar),
        Stable("clamp_min", 0, Vector, Vector, Scalar),
        Stable("cos", 0, Vector, Vector),
        Stable("cosh", 0, Vector, Vector),
        Stable("count_over_time", 0, Vector, Matrix),
        Stable("day_of_month", 1, Vector, Vector),
        Stable("day_of_week", 1, Vector, Vector),
        Stable("day_of_year", 1, Vector, Vector),
        Stable("days_in_month", 1, Vector, Vector),
        Stable("deg", 0, Vector, Vector),
        Stable("delta", 0, Vector, Matrix),
        Stable("deriv", 0, Vector, Matrix),
        Experimental("double_exponential_smoothing", 0, Vector, Matrix, Scalar, Scalar),
        Experimental("end", 0, Scalar),
        Stable("exp", 0, Vector, Vector),
        Stable("first_over_time", 0, Vector, Matrix),
        Stable("floor", 0, Vector, Vector),
        Stable("histogram_avg", 0, Vector, Vector),
        Stable("histogram_count", 0, Vector, Vector),
        Stable("histogram_fraction", 0, Vector, Scalar, Scalar, Vector),
        Stable("histogram_quantile", 0, Vector, Scalar, Vector),
        Experimental("histogram_quantiles", 9, Vector, Vector, Text, Scalar, Scalar),
        Stable("histogram_stddev", 0, Vector, Vector),
        Stable("histogram_stdvar", 0, Vector, Vector),
        Stable("histogram_sum", 0, Vector, Vector),
        Stable("hour", 1, Vector, Vector),
        Stable("idelta", 0, Vector, Matrix),
        Stable("increase", 0, Vector, Matrix),
        Experimental("info", 1, Vector, Vector, Vector),
        Stable("irate", 0, Vector, Matrix),
        Stable("label_join", -1, Vector, Vector, Text, Text, Text),
        Stable("label_replace", 0, Vector, Vector, Text, Text, Text, Text),
        Stable("last_over_time", 0, Vector, Matrix),
        Stable("ln", 0, Vector, Vector),
        Stable("log10", 0, Vector, Vector),
        Stable("log2", 0, Vector, Vector),
        Experimental("mad_over_time", 0, Vector, Matrix),
        Experimental("max_of", 0, Scalar, Scalar, Scalar),
        Stable("max_over_time", 0, Vector, Matrix),
        Experimental("min_of", 0, Scalar, Scalar, Scalar),
        Stable("min_over_time", 0, Vector, Matrix),
        Stable("minute", 1, Vector, Vector),
        Stable("month", 1, Vector, Vector),
        Stable("pi", 0, Scalar),
        Stable("predict_linear", 0, Vector, Matrix, Scalar),
        Stable("present_over_time", 0, Vector, Matrix),
        Stable("quantile_over_time", 0, Vector, Scalar, Matrix),
        Stable("rad", 0, Vector, Vector),
        Experimental("range", 0, Scalar),
        Stable("rate", 0, Vector, Matrix),
        Stable("resets", 0, Vector, Matrix),
        Stable("round", 1, Vector, Vector, Scalar),
        Stable("scalar", 0, Scalar, Vector),
        Stable("sgn", 0, Vector, Vector),
        Stable("sin", 0, Vector, Vector),
        Stable("sinh", 0, Vector, Vector),
        Stable("sort", 0, Vector, Vector),
        Experimental("sort_by_label", -1, Vector, Vector, Text),
        Experimental("sort_by_label_desc", -1, Vector, Vector, Text),
        Stable("sort_desc", 0, Vector, Vector),
        Stable("sqrt", 0, Vector, Vector),
        Experimental("start", 0, Scalar),
        Experimental("start_timestamp", 0, Vector, Vector),
        Stable("stddev_over_time", 0, Vector, Matrix),
        Stable("stdvar_over_time", 0, Vector, Matrix),
        Experimental("step", 0, Scalar),
        Stable("sum_over_time", 0, Vector, Matrix),
        Stable("tan", 0, Vector, Vector),
        Stable("tanh", 0, Vector, Vector),
        Stable("time", 0, Scalar),
        Stable("timestamp", 0, Vector, Vector),
        Experimental("ts_of_first_over_time", 0, Vector, Matrix),
        Experimental("ts_of_last_over_time", 0, Vector, Matrix),
        Experimental("ts_of_max_over_time", 0, Vector, Matrix),
        Experimental("ts_of_min_over_time", 0, Vector, Matrix),
        Stable("vector", 0, Vector, Scalar),
        Stable("year", 1, Vector, Vector),
    }.ToFrozenDictionary(f => f.Name, StringComparer.Ordinal);

    /// <summary>All functions, in no particular order.</summary>
    public static IReadOnlyList<FunctionSignature> All => byName.Values;

    /// <summary>Finds a function. Names are case-sensitive.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out FunctionSignature? function) => byName.TryGetValue(name, out function);

    /// <summary>The function of a name that is known to exist.</summary>
    /// <exception cref="KeyNotFoundException">There is no such function.</exception>
    public static FunctionSignature Get(string name) => byName[name];

    private static FunctionSignature Stable(string name, int variadic, ValueType returns, params ValueType[] arguments) =>
        new(name, arguments, variadic, returns, IsExperimental: false);

    private static FunctionSignature Experimental(string name, int variadic, ValueType returns, params ValueType[] arguments) =>
        new(name, arguments, variadic, returns, IsExperimental: true);
}
