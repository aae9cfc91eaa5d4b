using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace Metrics.ObjectStore;

/// <summary>Lists a bucket page by page, with either version of the call.</summary>
internal sealed class S3Listing(AmazonS3Client client, S3Options options, S3Calls calls)
{
    /// <summary>The pages of what starts with a prefix; with a delimiter, what goes on after one is folded into folders.</summary>
    public async IAsyncEnumerable<Page> PagesAsync(string attempted, string prefix, string? delimiter, [EnumeratorCancellation] CancellationToken cancellation)
    {
        string? next = null;
        do
        {
            var from = next;
            var page = await calls.RunAsync(
                new S3Call(attempted),
                limit => options.ListVersion1 ? ReadVersion1Async(prefix, delimiter, from, limit) : ReadAsync(prefix, delimiter, from, limit),
                cancellation);
            if (page.Next is not null && page.Next == from)
            {
                throw new ObjectStoreException($"{options}: {attempted}: the server gives the same page again and again");
            }

            next = page.Next;
            yield return page;
        }
        while (next is not null);
    }

    internal static DateTimeOffset Instant(DateTime? time) => time is { } known ? new DateTimeOffset(known.ToUniversalTime()) : default;

    private async Task<Page> ReadAsync(string prefix, string? delimiter, string? token, CancellationToken limit)
    {
        var request = new ListObjectsV2Request { BucketName = options.Bucket, Prefix = prefix, Delimiter = delimiter, ContinuationToken = token };
        var answer = await client.ListObjectsV2Async(request, limit);
        var next = answer.IsTruncated == true ? answer.NextContinuationToken ?? throw Incomplete("a next page without its token") : null;
        return Build(prefix, answer.Name, answer.S3Objects, answer.CommonPrefixes, next);
    }

    private async Task<Page> ReadVersion1Async(string prefix, string? delimiter, string? marker, CancellationToken limit)
    {
        var request = new ListObjectsRequest { BucketName = options.Bucket, Prefix = prefix, Delimiter = delimiter, Marker = marker };
        var answer = await client.ListObjectsAsync(request, limit);
        string? next = null;
        if (answer.IsTruncated == true)
        {
            // Servers give a marker only with a delimiter; else it is the last key.
            next = string.IsNullOrEmpty(answer.NextMarker) ? answer.S3Objects?.LastOrDefault()?.Key : answer.NextMarker;
            next = next ?? throw Incomplete("a next page without its marker");
        }

        return Build(prefix, answer.Name, answer.S3Objects, answer.CommonPrefixes, next);
    }

    private static Page Build(string prefix, string? bucket, List<S3Object>? objects, List<string>? folders, string? next)
    {
        // An answer with nothing in it would pass for an empty bucket; each real one names the bucket.
        if (string.IsNullOrEmpty(bucket))
        {
            throw Incomplete("no bucket name");
        }

        var page = new Page(next);
        foreach (var item in objects ?? [])
        {
            if (!item.Key.StartsWith(prefix, StringComparison.Ordinal))
            {
                throw Incomplete($"the key {item.Key}, which does not start with {prefix}");
            }

            page.Objects.Add(new ObjectInfo(item.Key, item.Size ?? throw Incomplete($"no size of {item.Key}"), Instant(item.LastModified)));
        }

        foreach (var folder in folders ?? [])
        {
            page.Folders.Add(folder.StartsWith(prefix, StringComparison.Ordinal) ? folder : throw Incomplete($"the folder {folder}, not below {prefix}"));
        }

        return page;
    }

    private static IOException Incomplete(string what) => new($"the listing is not one: it has {what}");

    /// <summary>One page, with the keys as the bucket has them, and what the next one is asked for with.</summary>
    internal sealed record Page(string? Next)
    {
        public List<ObjectInfo> Objects { get; } = [];

        public List<string> Folders { get; } = [];
    }
}
