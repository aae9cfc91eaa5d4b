using System.Globalization;
using System.Net;
using Amazon.S3.Model;

namespace Metrics.ObjectStore;

/// <summary>Reads an answer's body to the length that its headers promise, so that a body cut short is an error and not a shorter object.</summary>
internal static class S3Body
{
    /// <summary>The whole body, or an exception when it is longer than allowed.</summary>
    /// <exception cref="ObjectStoreException">It is longer than <paramref name="maxBytes"/>.</exception>
    /// <exception cref="IOException">It is shorter than promised, or nothing was promised.</exception>
    public static async Task<byte[]> ReadAllAsync(GetObjectResponse answer, int maxBytes, string what, CancellationToken cancellation)
    {
        var length = PromisedLength(answer);
        if (length > maxBytes)
        {
            throw new ObjectStoreException($"{what}: the object has {length} bytes, at most {maxBytes} were expected");
        }

        var content = new byte[length];
        await FillAsync(answer, content, cancellation);
        return content;
    }

    /// <summary>The part of an object that was asked for; returns its length, shorter than the buffer only at the object's end.</summary>
    /// <exception cref="ObjectStoreException">The server does not do ranges.</exception>
    /// <exception cref="IOException">It is another range or shorter than promised.</exception>
    public static async Task<int> ReadRangeAsync(GetObjectResponse answer, long offset, Memory<byte> into, string what, CancellationToken cancellation)
    {
        var length = PromisedLength(answer);
        if (answer.HttpStatusCode == HttpStatusCode.PartialContent)
        {
            var (start, end, total) = ParseRange(answer.ContentRange);
            if (start != offset || end - start + 1 != length || length > into.Length || (length < into.Length && end + 1 != total))
            {
                throw new IOException($"asked for {into.Length} bytes at {offset}, got {answer.ContentRange} and {length} bytes");
            }
        }
        else if (offset != 0)
        {
            throw new ObjectStoreException($"{what}: the server ignores ranges: it answered {(int)answer.HttpStatusCode} with the whole object");
        }

        var part = into[..(int)Math.Min(length, into.Length)];
        await FillAsync(answer, part, cancellation);
        return part.Length;
    }

    private static long PromisedLength(GetObjectResponse answer) =>
        answer.ContentLength >= 0 ? answer.ContentLength : throw new IOException("the answer does not say how long it is");

    /// <summary>Reads <c>bytes START-END/TOTAL</c>.</summary>
    private static (long Start, long End, long Total) ParseRange(string? header)
    {
        const string Unit = "bytes ";
        var text = header ?? "";
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return text.StartsWith(Unit, StringComparison.Ordinal) && dash > Unit.Length && slash > dash
            && long.TryParse(text.AsSpan(Unit.Length, dash - Unit.Length), NumberStyles.None, null, out var start)
            && long.TryParse(text.AsSpan(dash + 1, slash - dash - 1), NumberStyles.None, null, out var end)
            && long.TryParse(text.AsSpan(slash + 1), NumberStyles.None, null, out var total)
            && start <= end && end < total
                ? (start, end, total)
                : throw new IOException($"unexpected Content-Range \"{header}\"");
    }

    private static async Task FillAsync(GetObjectResponse answer, Memory<byte> into, CancellationToken cancellation)
    {
        var read = await answer.ResponseStream.ReadAtLeastAsync(into, into.Length, throwOnEndOfStream: false, cancellation);
        if (read < into.Length)
        {
            throw new IOException($"the body ended after {read} of {into.Length} bytes");
        }
    }
}
