using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL;

/// <summary>A query to evaluate.</summary>
/// <param name="Query">The PromQL text.</param>
/// <param name="Grid">When to evaluate it.</param>
/// <param name="IsRange">True for a range query (the result is a matrix), false for an instant one.</param>
public sealed record QueryRequest(string Query, TimeGrid Grid, bool IsRange)
{
    /// <summary>The query's syntax tree where whoever asks has parsed it, with the engine's options; null to have it parsed.</summary>
    public Expr? Expression { get; init; }

    /// <summary>How far an instant selector looks back, or null for the engine's default.</summary>
    public long? LookbackMs { get; init; }

    /// <summary>The coarsest downsampled data that may stand for the samples, milliseconds a sample; 0 for none.</summary>
    public long MaxResolutionMs { get; init; }

    /// <summary>What it may read.</summary>
    public QueryBounds Bounds { get; init; } = QueryBounds.None;

    /// <summary>Who asks, and whose share of the processors what is left to do behind the leaves takes.</summary>
    public TenantId Tenant { get; init; }

    /// <summary>Whether samples are counted for each step too.</summary>
    public bool PerStepStatistics { get; init; }

    /// <summary>Whether what each operator took is told too (<see cref="QueryResult.Analysis"/>).</summary>
    public bool Analyze { get; init; }

    /// <summary>The most series in the result, 0 for all; more are cut off with a warning.</summary>
    public int Limit { get; init; }
}
