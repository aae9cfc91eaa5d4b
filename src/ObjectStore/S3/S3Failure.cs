using System.Net;
using System.Security.Authentication;
using Amazon.Runtime;

namespace Metrics.ObjectStore;

/// <summary>What a failed try means for the call it belongs to.</summary>
internal enum S3FailureKind
{
    /// <summary>Trying again may help. A change may have been made all the same.</summary>
    Unclear,

    /// <summary>Trying again may help, and nothing was changed.</summary>
    TryAgain,

    /// <summary>The object is not there.</summary>
    NotFound,

    /// <summary>A conditional put met another state.</summary>
    Condition,

    /// <summary>The server will say the same next time.</summary>
    Refused,
}

/// <summary>Judges a failed try, after S3's list of error codes ("Error responses" in its API reference).</summary>
internal static class S3Failure
{
    /// <summary>True for what networks and servers cause; anything else is a mistake of ours.</summary>
    public static bool IsOperational(Exception e) =>
        e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or OperationCanceledException or TimeoutException
            or System.Net.Sockets.SocketException or System.Xml.XmlException or AuthenticationException;

    /// <summary>What to do about it.</summary>
    public static S3FailureKind Judge(Exception e) => e switch
    {
        AmazonServiceException { StatusCode: not default(HttpStatusCode) } service => Judge(service.StatusCode, service.ErrorCode),
        // A certificate that is not trusted now will not be trusted in a second.
        _ when Chain(e).OfType<AuthenticationException>().Any() => S3FailureKind.Refused,
        // No connection, a broken one, an answer that can't be parsed, no credentials at the moment.
        _ => S3FailureKind.Unclear,
    };

    /// <summary>One line for people: status, code and the server's words, or what broke the connection.</summary>
    public static string Describe(Exception e)
    {
        if (e is AmazonServiceException { StatusCode: not default(HttpStatusCode) } service)
        {
            var code = string.IsNullOrEmpty(service.ErrorCode) ? "" : $" {service.ErrorCode}";
            var message = OneLine(service.Message);
            return $"{(int)service.StatusCode}{code}{(message.Length > 0 ? ": " : "")}{message}";
        }

        var deepest = Chain(e).Last();
        return deepest == e || deepest.Message == e.Message ? OneLine(e.Message) : $"{OneLine(e.Message)} ({OneLine(deepest.Message)})";
    }

    private static IEnumerable<Exception> Chain(Exception? e)
    {
        for (; e is not null; e = e.InnerException)
        {
            yield return e;
        }
    }

    private static S3FailureKind Judge(HttpStatusCode status, string? code) => ((int)status, code) switch
    {
        (404, "NoSuchBucket" or "NoSuchUpload") => S3FailureKind.Refused,
        (404, _) => S3FailureKind.NotFound,
        (412, _) => S3FailureKind.Condition,
        // Another request on the same key was in the way; ours was not carried out.
        (409, "ConditionalRequestConflict" or "OperationAborted" or "ConcurrentModification") => S3FailureKind.TryAgain,
        (429, _) or (400, "RequestTimeout" or "BadDigest" or "IncompleteBody") => S3FailureKind.TryAgain,
        (501, _) => S3FailureKind.Refused,
        (408 or >= 500, _) => S3FailureKind.Unclear,
        // An error inside an answer that began as success: completing an upload can end so.
        ( >= 200 and < 300, _) => S3FailureKind.Unclear,
        _ => S3FailureKind.Refused,
    };

    private static string OneLine(string? text)
    {
        text = (text ?? "").ReplaceLineEndings(" ").Trim();
        return text.Length > 300 ? $"{text[..300]}..." : text;
    }
}
