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
        ["irate"] = new WindowFunction<InstantKernel>(new InstantKernel(isRate: true)),
        ["idelta"] = new WindowFunction<InstantKernel>(new InstantKernel(isRate: false)),
        ["resets"] = new WindowFunction<EventKernel>(new EventKernel(countsResets: true)),
        ["changes"] = new WindowFunction<EventKernel>(new EventKernel(countsResets: false)),
        ["deriv"] = new WindowFunction<RegressionKernel>(new RegressionKernel(predicts: false)),
        ["predict_linear"] = new WindowFunction<RegressionKernel>(new RegressionKernel(predicts: true)),
        ["sum_over_time"] = new WindowFunction<SumKernel>(new SumKernel(isAverage: false)),
        ["avg_over_time"] = new WindowFunction<SumKernel>(new SumKernel(isAverage: true)),
        ["min_over_time"] = new WindowFunction<ExtremeKernel>(new ExtremeKernel(isMax: false, wantsTime: false)),
        ["max_over_time"] = new WindowFunction<ExtremeKernel>(new ExtremeKernel(isMax: true, wantsTime: false)),
        ["ts_of_min_over_time"] = new WindowFunction<ExtremeKernel>(new ExtremeKernel(isMax: false, wantsTime: true)),
        ["ts_of_max_over_time"] = new WindowFunction<ExtremeKernel>(new ExtremeKernel(isMax: true, wantsTime: true)),
        ["count_over_time"] = new WindowFunction<EdgeKernel>(new EdgeKernel(Edge.Count)),
        ["present_over_time"] = new WindowFunction<EdgeKernel>(new EdgeKernel(Edge.Present)),
        ["first_over_time"] = new WindowFunction<EdgeKernel>(new EdgeKernel(Edge.First), keepsName: true),
        ["last_over_time"] = new WindowFunction<EdgeKernel>(new EdgeKernel(Edge.Last), keepsName: true),
        ["ts_of_first_over_time"] = new WindowFunction<EdgeKernel>(new EdgeKernel(Edge.TimeOfFirst)),
        ["ts_of_last_over_time"] = new WindowFunction<EdgeKernel>(new EdgeKernel(Edge.TimeOfLast)),
        ["stddev_over_time"] = new WindowFunction<VarianceKernel>(new VarianceKernel(isDeviation: true)),
        ["stdvar_over_time"] = new WindowFunction<VarianceKernel>(new VarianceKernel(isDeviation: false)),
        ["quantile_over_time"] = new WindowFunction<QuantileKernel>(new QuantileKernel(isDeviation: false)),
        ["mad_over_time"] = new WindowFunction<QuantileKernel>(new QuantileKernel(isDeviation: true)),
        ["double_exponential_smoothing"] = new WindowFunction<SmoothingKernel>(new SmoothingKernel()),
    };

    /// <summary>Finds a function over range vectors; false for names that are not one. Functions are shared and thread-safe.</summary>
    public static bool TryGet(string name, [NotNullWhen(true)] out RangeFunction? function) => byName.TryGetValue(name, out function);
}
