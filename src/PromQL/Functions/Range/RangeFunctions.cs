using System.Diagnostics.CodeAnalysis;

namespace Metrics.PromQL.Functions;

/// <summary>The range functions by name.</summary>
public static class RangeFunctions
{
    private static readonly Dictionary<string, RangeFunction> byName = new(StringComparer.Ordinal)
    {
        ["rate"] = new WindowFunction<RateKernel>(new RateKernel(isCounter: true, isRate: true)),
        ["increase"] = new WindowFunction<RateKernel>(new RateKernel(isCounter: true, isRate: false)),
        ["delta"] = new WindowFunction<RateKernel>(new RateKernel(isCounter: false, isRate: false)),
    };

    /// <summary>Finds a function over range vectors; false for names that are not one. Functions are shared and thread-safe.</summary>
    public static bool TryGet(string name, [NotNullWhen(true)] out RangeFunction? function) => byName.TryGetValue(name, out function);
}
