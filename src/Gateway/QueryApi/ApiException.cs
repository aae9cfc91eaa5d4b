using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>An error as the Prometheus HTTP API names it.</summary>
internal enum ApiErrorType
{
    /// <summary>The request is wrong.</summary>
    BadData,

    /// <summary>The query cannot be evaluated.</summary>
    Execution,

    /// <summary>It took too long.</summary>
    Timeout,

    /// <summary>The client went away.</summary>
    Canceled,

    /// <summary>Not now.</summary>
    Unavailable,

    /// <summary>There is no such thing.</summary>
    NotFound,

    /// <summary>The request names no tenant, and one is required.</summary>
    Unauthorized,

    /// <summary>The caller may not.</summary>
    Forbidden,

    /// <summary>The tenant asks too much at once.</summary>
    TooManyRequests,

    /// <summary>Our fault.</summary>
    Internal,
}

/// <summary>A request of the query API that is answered with an error.</summary>
internal sealed class ApiException(ApiErrorType type, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>What kind of error.</summary>
    public ApiErrorType Type { get; } = type;

    /// <summary>The text of <c>errorType</c>.</summary>
    public string TypeText => Type switch
    {
        ApiErrorType.BadData => "bad_data",
        ApiErrorType.Execution => "execution",
        ApiErrorType.Timeout => "timeout",
        ApiErrorType.Canceled => "canceled",
        ApiErrorType.Unavailable => "unavailable",
        ApiErrorType.NotFound => "not_found",
        ApiErrorType.Unauthorized => "unauthorized",
        ApiErrorType.Forbidden => "forbidden",
        ApiErrorType.TooManyRequests => "too_many_requests",
        _ => "internal",
    };

    /// <summary>The HTTP status. 499 is nginx's for a client that closed the connection.</summary>
    public int Status => Type switch
    {
        ApiErrorType.BadData => 400,
        ApiErrorType.Execution => 422,
        ApiErrorType.Timeout or ApiErrorType.Unavailable => 503,
        ApiErrorType.Canceled => 499,
        ApiErrorType.NotFound => 404,
        ApiErrorType.Unauthorized => 401,
        ApiErrorType.Forbidden => 403,
        ApiErrorType.TooManyRequests => 429,
        _ => 500,
    };

    /// <summary>A parameter that cannot be used, in Prometheus's words.</summary>
    public static ApiException InvalidParameter(string name, string message) => new(ApiErrorType.BadData, $"invalid parameter \"{name}\": {message}");

    /// <summary>The engine's failure as the API names it.</summary>
    public static ApiException From(QueryException e) => new(
        e.Kind switch
        {
            QueryErrorKind.BadData => ApiErrorType.BadData,
            QueryErrorKind.Execution => ApiErrorType.Execution,
            QueryErrorKind.Timeout => ApiErrorType.Timeout,
            QueryErrorKind.Canceled => ApiErrorType.Canceled,
            QueryErrorKind.Unavailable or QueryErrorKind.Overloaded => ApiErrorType.Unavailable,
            _ => ApiErrorType.Internal,
        },
        e.Message,
        e);
}
