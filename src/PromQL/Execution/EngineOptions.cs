using Metrics.PromQL.Parsing;

namespace Metrics.PromQL;

/// <summary>How the engine behaves and where it stops. Defaults are Prometheus's.</summary>
public sealed record EngineOptions
{
    /// <summary>Language features.</summary>
    public ParseOptions Parsing { get; init; } = new();

    /// <summary>How far an instant selector looks back, milliseconds.</summary>
    public long LookbackMs { get; init; } = 5 * 60 * 1000;

    /// <summary>The step of a subquery that names none, milliseconds.</summary>
    public long DefaultSubqueryStepMs { get; init; } = 60 * 1000;

    /// <summary>The most samples a query may hold at once (<c>query.max-samples</c>).</summary>
    public long MaxSamples { get; init; } = 50_000_000;

    /// <summary>The longest a query may take (<c>query.timeout</c>).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Counts the memory of all queries of the process, and bounds it.</summary>
    public QueryMemory Memory { get; init; } = new(0, 1);

    /// <summary><c>promql-delayed-name-removal</c>.</summary>
    public bool DelayedNameRemoval { get; init; }

    /// <summary><c>type-and-unit-labels</c>.</summary>
    public bool TypeAndUnitLabels { get; init; }

    /// <summary><c>use-start-timestamps</c>.</summary>
    public bool UseStartTimestamps { get; init; }
}
