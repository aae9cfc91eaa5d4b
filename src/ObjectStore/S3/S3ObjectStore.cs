using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace Metrics.ObjectStore;

/// <summary>Objects in an S3 bucket, Amazon's or another's, through the AWS SDK.</summary>
/// <remarks>
/// A version is the ETag as the server sends it. The bucket must be strongly consistent and evaluate <c>If-Match</c> and <c>If-None-Match</c> on puts in
/// one step with the put: shards own their data by it. How failures are retried, and what is reported when an outcome is unknown: <see cref="S3Calls"/>.
/// </remarks>
public sealed class S3ObjectStore : IObjectStore
{
    private readonly S3Options options;
    private readonly string keyPrefix;
    private readonly AmazonS3Client client;
    private readonly HttpClient http;
    private readonly S3Calls calls;
    private readonly S3Upload upload;
    private readonly S3Listing listing;

    /// <summary>The server answered about this bucket: a missing object is then not a missing bucket, which looks the same to a HEAD.</summary>
    private volatile bool bucketSeen;

    /// <summary>
    /// How this server wants the ETag in <c>If-Match</c> of a put. The protocol says in quotes, as the server itself gives it; Ceph up to 16 compares
    /// that with the bare one and finds them different. So the first refusal of a version that is there as named is answered with the bare one.
    /// </summary>
    private volatile TagStyle tagStyle;

    private enum TagStyle
    {
        Unknown,
        Quoted,
        Bare,
    }

    private S3ObjectStore(S3Options options, TimeProvider time, Random random)
    {
        this.options = options;
        keyPrefix = options.Prefix.Length == 0 ? "" : $"{options.Prefix}/";
        (client, http) = S3Connection.Open(options);
        calls = new S3Calls(options, Name, time, random);
        upload = new S3Upload(client, options, calls, Name);
        listing = new S3Listing(client, options, calls);
    }

    /// <inheritdoc/>
    public string Name => options.ToString();

    /// <summary>Sets up a connection; the bucket is first asked by the first call.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="time">Owns the pauses and time limits.</param>
    /// <param name="random">Jitters the pauses; null for one of its own.</param>
    /// <exception cref="ObjectStoreException">A certificate file can't be read.</exception>
    /// <exception cref="ArgumentException">The prefix is no prefix of keys, or a key of ours would travel unencrypted.</exception>
    public static S3ObjectStore Open(S3Options options, TimeProvider time, Random? random = null)
    {
        if (options.Prefix.Length > 0)
        {
            ObjectKey.Check(options.Prefix);
        }

        return options.Encryption is { NeedsTls: true } && options.Insecure
            ? throw new ArgumentException("encryption with our own key (SSE-C) sends the key along, so it needs TLS", nameof(options))
            : new S3ObjectStore(options, time, random ?? new Random());
    }

    /// <inheritdoc/>
    public async ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
    {
        var fullKey = FullKey(key);
        try
        {
            var found = await calls.RunAsync(new S3Call($"find {key}"), async limit =>
            {
                var answer = await client.GetObjectMetadataAsync(HeadRequest(fullKey), limit);
                return new ObjectInfo(key, answer.ContentLength, S3Listing.Instant(answer.LastModified));
            }, cancellation);
            bucketSeen = true;
            return found;
        }
        catch (ObjectNotFoundException)
        {
            await SeeBucketAsync($"find {key}", cancellation);
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        var fullKey = FullKey(key);
        try
        {
            return await calls.RunAsync(new S3Call($"get {key}", maxBytes), async limit =>
            {
                using var answer = await client.GetObjectAsync(GetRequest(fullKey), limit);
                var content = await S3Body.ReadAllAsync(answer, maxBytes, $"{Name}: get {key}", limit);
                return new StoredObject(content, VersionOf(answer.ETag, $"get {key}"));
            }, cancellation);
        }
        catch (ObjectNotFoundException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        var fullKey = FullKey(key);
        if (into.IsEmpty)
        {
            // There is no empty range to ask for; only whether there is such an object remains of the question.
            return await FindAsync(key, cancellation) is null ? throw new ObjectNotFoundException($"{Name}: read {key}: there is no such object") : 0;
        }

        return await calls.RunAsync(new S3Call($"read {key} at {offset}", into.Length), async limit =>
        {
            var request = GetRequest(fullKey);
            request.ByteRange = new ByteRange(offset, offset + into.Length - 1);
            try
            {
                using var answer = await client.GetObjectAsync(request, limit);
                return await S3Body.ReadRangeAsync(answer, offset, into, $"{Name}: read {key}", limit);
            }
            catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
            {
                // The object ends before the offset.
                return 0;
            }
        }, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        var fullKey = FullKey(key);
        if (condition.Version is not { } version)
        {
            return await PutOnceAsync(key, fullKey, content, condition.MustBeAbsent, ifMatch: null, cancellation);
        }

        try
        {
            var style = tagStyle;
            var put = await PutOnceAsync(key, fullKey, content, mustBeAbsent: false, style == TagStyle.Bare ? Bare(version) : version.Text, cancellation);
            tagStyle = style == TagStyle.Unknown ? TagStyle.Quoted : style;
            return put;
        }
        catch (ConditionFailedException) when (tagStyle == TagStyle.Unknown)
        {
            if (await TagAsync(key, fullKey, cancellation) != version.Text)
            {
                throw;
            }
        }

        var stored = await PutOnceAsync(key, fullKey, content, mustBeAbsent: false, Bare(version), cancellation);
        tagStyle = TagStyle.Bare;
        return stored;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A file above <see cref="S3Options.PartBytes"/> goes up in parts, and the object appears when all are there. When it fails the parts are removed; a
    /// bucket rule that ends incomplete uploads takes care of what a crash leaves. The deadline counts for each part.
    /// </remarks>
    public ValueTask UploadAsync(string key, string path, CancellationToken cancellation) => upload.RunAsync(key, FullKey(key), path, cancellation);

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(string key, CancellationToken cancellation)
    {
        var request = new DeleteObjectRequest { BucketName = options.Bucket, Key = FullKey(key) };
        try
        {
            await calls.RunAsync(new S3Call($"delete {key}"), limit => client.DeleteObjectAsync(request, limit), cancellation);
        }
        catch (ObjectNotFoundException)
        {
            // What was to be reached. Amazon answers 204 then, some others 404.
            await SeeBucketAsync($"delete {key}", cancellation);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ObjectKey.CheckPrefix(prefix);
        await foreach (var page in listing.PagesAsync($"list {prefix}", keyPrefix + prefix, delimiter: null, cancellation))
        {
            foreach (var item in page.Objects)
            {
                // Other programs may have put here what is no key of ours, such as folder markers; it could not be read by its name.
                var key = item.Key[keyPrefix.Length..];
                if (ObjectKey.Problem(key) is null)
                {
                    yield return item with { Key = key };
                }
            }
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ObjectKey.CheckPrefix(prefix);
        await foreach (var page in listing.PagesAsync($"list folders of {prefix}", keyPrefix + prefix, "/", cancellation))
        {
            foreach (var folder in page.Folders)
            {
                var name = folder[(keyPrefix.Length + prefix.Length)..].TrimEnd('/');
                if (ObjectKey.Problem(name) is null)
                {
                    yield return name;
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        client.Dispose();
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string Bare(ObjectVersion version) => version.Text.Trim('"');

    private static MemoryStream Body(ReadOnlyMemory<byte> content) => MemoryMarshal.TryGetArray(content, out var array)
        ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
        : new MemoryStream(content.ToArray(), writable: false);

    private string FullKey(string key)
    {
        ObjectKey.Check(key);
        var full = keyPrefix + key;
        return ObjectKey.Problem(full) is { } problem ? throw new ArgumentException($"\"{key}\" below {Name}: {problem}", nameof(key)) : full;
    }

    private GetObjectMetadataRequest HeadRequest(string fullKey)
    {
        var request = new GetObjectMetadataRequest { BucketName = options.Bucket, Key = fullKey };
        options.Encryption?.Apply(request);
        return request;
    }

    private GetObjectRequest GetRequest(string fullKey)
    {
        var request = new GetObjectRequest { BucketName = options.Bucket, Key = fullKey };
        options.Encryption?.Apply(request);
        return request;
    }

    private async ValueTask<ObjectVersion> PutOnceAsync(
        string key, string fullKey, ReadOnlyMemory<byte> content, bool mustBeAbsent, string? ifMatch, CancellationToken cancellation)
    {
        try
        {
            return await calls.RunAsync(new S3Call($"put {key}", content.Length, "the object was stored"), async limit =>
            {
                using var body = Body(content);
                var request = upload.PutRequest(fullKey, body);
                request.IfNoneMatch = mustBeAbsent ? "*" : null;
                request.IfMatch = ifMatch;
                if (options.SendContentMd5)
                {
                    request.MD5Digest = Md5.Base64(content.Span);
                }

                var answer = await client.PutObjectAsync(request, limit);
                return VersionOf(answer.ETag, $"put {key}");
            }, cancellation);
        }
        catch (ObjectNotFoundException e)
        {
            throw new ConditionFailedException($"{Name}: put {key}: the condition does not hold: there is no such object", e);
        }
    }

    /// <summary>The version that an object has now, or null when there is none.</summary>
    private async ValueTask<string?> TagAsync(string key, string fullKey, CancellationToken cancellation)
    {
        try
        {
            return await calls.RunAsync(new S3Call($"find {key}"), async limit => (await client.GetObjectMetadataAsync(HeadRequest(fullKey), limit)).ETag, cancellation);
        }
        catch (ObjectNotFoundException)
        {
            return null;
        }
    }

    private ObjectVersion VersionOf(string? etag, string attempted) => string.IsNullOrEmpty(etag)
        ? throw new ObjectStoreException($"{Name}: {attempted}: the server gave no ETag, so a version can't be named")
        : new ObjectVersion(etag);

    /// <summary>Makes sure, once, that the bucket exists: to a HEAD and a DELETE, no bucket and no object are the same 404.</summary>
    private async ValueTask SeeBucketAsync(string attempted, CancellationToken cancellation)
    {
        if (bucketSeen)
        {
            return;
        }

        // A listing, unlike others, says NoSuchBucket in its body, and needs no permission that we don't need anyway.
        await foreach (var _ in listing.PagesAsync(attempted, keyPrefix, "/", cancellation))
        {
            break;
        }

        bucketSeen = true;
    }
}
