namespace Metrics.PromQL;

/// <summary>Why a query failed, as the HTTP API names it.</summary>
public enum QueryErrorKind
{
    /// <summary><c>bad_data</c>, 400.</summary>
    BadData,

    /// <summary><c>execution</c>, 422.</summary>
    Execution,

    /// <summary><c>timeout</c>, 503.</summary>
    Timeout,

    /// <summary><c>canceled</c>, 503.</summary>
    Canceled,

    /// <summary><c>unavailable</c>, 503: some series could not be read.</summary>
    Unavailable,

    /// <summary><c>internal</c>, 500.</summary>
    Internal,

    /// <summary><c>unavailable</c>, 503: there is no memory for it now (<see cref="QueryMemory"/>).</summary>
    Overloaded,
}

/// <summary>A query that could not be answered; the message is what Prometheus would say.</summary>
public sealed class QueryException(QueryErrorKind kind, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>What kind of failure.</summary>
    public QueryErrorKind Kind { get; } = kind;
}
