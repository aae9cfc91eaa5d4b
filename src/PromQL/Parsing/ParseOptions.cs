namespace Metrics.PromQL.Parsing;

/// <summary>Which experimental parts of the language are on. The names in the docs are Prometheus's feature flags.</summary>
public sealed record ParseOptions
{
    /// <summary>Everything on, as in Prometheus's own conformance runner.</summary>
    public static readonly ParseOptions All = new()
    {
        ExperimentalFunctions = true,
        ExtendedRangeSelectors = true,
        FillModifiers = true,
        DurationExpressions = true,
    };

    /// <summary><c>promql-experimental-functions</c>.</summary>
    public bool ExperimentalFunctions { get; init; }

    /// <summary><c>promql-extended-range-selectors</c>: <c>anchored</c> and <c>smoothed</c>.</summary>
    public bool ExtendedRangeSelectors { get; init; }

    /// <summary><c>promql-binop-fill-modifiers</c>: <c>fill</c>, <c>fill_left</c>, <c>fill_right</c>.</summary>
    public bool FillModifiers { get; init; }

    /// <summary><c>promql-duration-expr</c>: arithmetic in durations. On by default since Prometheus 3.x made it permanent.</summary>
    public bool DurationExpressions { get; init; } = true;
}
