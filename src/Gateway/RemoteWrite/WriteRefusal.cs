using System.Globalization;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>A write request that is not taken at all: the status and what to say.</summary>
internal sealed class WriteRefusal(int status, string message) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>When to come back; null for when the configuration says.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>A time to wait as <c>Retry-After</c> has it: whole seconds, one at least.</summary>
    public static string Seconds(TimeSpan wait) => ((long)Math.Max(1, Math.Ceiling(wait.TotalSeconds))).ToString(CultureInfo.InvariantCulture);

    /// <summary>A limit of the tenant on one request is exceeded; the sender must not repeat it.</summary>
    public static WriteRefusal OverLimit(string message) => new(StatusCodes.Status413PayloadTooLarge, message);

    /// <summary>A rate of the tenant is exceeded; the sender may come back.</summary>
    public static WriteRefusal TooFast(string message, TimeSpan wait) => new(StatusCodes.Status429TooManyRequests, message) { RetryAfter = wait };

    /// <summary>The body is no valid message; the sender must not repeat it.</summary>
    public static WriteRefusal Malformed(string message) => new(StatusCodes.Status400BadRequest, message);

    /// <summary>A limit of size is exceeded.</summary>
    public static WriteRefusal TooLarge(string what, long bytes, Configuration.ByteSize limit) =>
        new(StatusCodes.Status413PayloadTooLarge, $"{what} is too large: {bytes} bytes, limit {limit}");

    /// <summary>Not now; the sender repeats the request.</summary>
    public static WriteRefusal Busy(string message) => new(StatusCodes.Status503ServiceUnavailable, message);
}
