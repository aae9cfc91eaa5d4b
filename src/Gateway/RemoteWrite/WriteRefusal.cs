using Metrics.Cluster;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>A write request that is not taken, at least not whole: the status and what to say.</summary>
internal sealed class WriteRefusal(int status, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>What was stored all the same, of a request that was taken apart by tenants; null for nothing.</summary>
    public WriteOutcome? Stored { get; private init; }

    /// <summary>When to come back; null for when the configuration says.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>True when the sender is to send the request again.</summary>
    public bool IsForNow => Status is StatusCodes.Status429TooManyRequests or >= StatusCodes.Status500InternalServerError;

    /// <summary>The same for a request of which other tenants' parts were taken; <paramref name="text"/> says what was refused of those, or is empty.</summary>
    public WriteRefusal Beside(WriteOutcome stored, string text) =>
        new(Status, text.Length == 0 ? Message : $"{Message}; of the rest, {text}", InnerException) { RetryAfter = RetryAfter, Stored = stored };

    /// <summary>A limit of the tenant on one request is exceeded; the sender must not repeat it.</summary>
    public static WriteRefusal OverLimit(string message) => new(StatusCodes.Status413PayloadTooLarge, message);

    /// <summary>A rate of the tenant is exceeded; the sender may come back.</summary>
    public static WriteRefusal TooFast(string message, TimeSpan wait) => new(StatusCodes.Status429TooManyRequests, message) { RetryAfter = wait };

    /// <summary>The body is no valid message; the sender must not repeat it.</summary>
    public static WriteRefusal Malformed(string message) => new(StatusCodes.Status400BadRequest, message);

    /// <summary>A limit of size, a setting of <c>remote_write</c>, is exceeded.</summary>
    public static WriteRefusal TooLarge(string what, long bytes, string setting, Configuration.ByteSize limit) =>
        new(StatusCodes.Status413PayloadTooLarge, $"{what} is too large: {bytes} bytes, limit remote_write.{setting} of {limit}");

    /// <summary>Not now; the sender repeats the request.</summary>
    public static WriteRefusal Busy(string message, Exception? cause = null) => new(StatusCodes.Status503ServiceUnavailable, message, cause);
}
