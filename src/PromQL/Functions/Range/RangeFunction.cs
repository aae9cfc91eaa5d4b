using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Functions;

/// <summary>The windows of a range selector: at step s, the samples in (end(s) - <paramref name="RangeMs"/>, end(s)].</summary>
/// <param name="Grid">The steps of the query; results are for these.</param>
/// <param name="RangeMs">The window, positive or zero.</param>
/// <param name="OffsetMs">end(s) = Grid.At(s) - OffsetMs, unless <paramref name="AtMs"/> is set.</param>
/// <param name="AtMs">When not null, end(s) = AtMs - OffsetMs for every step: the window does not move, and one evaluation serves all steps.</param>
/// <param name="Mode">Anchored or smoothed.</param>
public readonly record struct RangeWindows(TimeGrid Grid, long RangeMs, long OffsetMs, long? AtMs, RangeMode Mode)
{
    /// <summary>The end of the window at a step, inclusive.</summary>
    public long EndOf(int step) => (AtMs ?? Grid.At(step)) - OffsetMs;
}

/// <summary>What a range function needs beside its samples.</summary>
/// <param name="Parameters">Scalar arguments in the order of the call: one column of Steps values each (e.g. phi of quantile_over_time).</param>
/// <param name="Annotations">Where remarks go.</param>
/// <param name="Call">The call, for positions and argument positions.</param>
/// <param name="Series">The labels of the series, for texts of remarks.</param>
/// <param name="Options">The engine's options.</param>
public readonly record struct RangeContext(IReadOnlyList<double[]> Parameters, AnnotationSet Annotations, CallExpr Call, Labels Series, EngineOptions Options);

/// <summary>A function over range vectors (<c>rate</c>, <c>max_over_time</c>, ...): from the samples of one series to its results at all steps.</summary>
/// <remarks>O(samples + steps) wherever the function allows it; stateless, or state made anew per call. Thread-safe.</remarks>
public abstract class RangeFunction
{
    /// <summary>True when results keep the metric name (<c>last_over_time</c>, <c>first_over_time</c>).</summary>
    public virtual bool KeepsMetricName => false;

    /// <summary>Sets the results of one series. Samples hold no stale markers; a window without samples gives no result.</summary>
    public abstract void Evaluate(SampleBuffer samples, in RangeWindows windows, in RangeContext context, StepRow into);
}
