using Amazon.S3;
using Amazon.S3.Model;

namespace Metrics.ObjectStore;

/// <summary>Brings files up: short ones in one request, longer ones in parts that become one object at the end.</summary>
internal sealed class S3Upload(AmazonS3Client client, S3Options options, S3Calls calls, string store)
{
    /// <summary>S3's bound.</summary>
    private const int MaxParts = 10_000;

    /// <summary>Tells our upload from another of the same key, when an answer was lost and the object is looked at instead.</summary>
    private const string UploadMark = "metrics-upload";

    private static readonly TimeSpan cleanupDeadline = TimeSpan.FromSeconds(15);

    public async ValueTask RunAsync(string key, string fullKey, string path, CancellationToken cancellation)
    {
        var attempted = $"upload {path} as {key}";
        try
        {
            var bytes = new FileInfo(path).Length;
            if (bytes <= options.PartBytes || !options.Multipart)
            {
                await PutFileAsync(attempted, fullKey, path, bytes, cancellation);
            }
            else
            {
                await PutPartsAsync(attempted, fullKey, path, bytes, cancellation);
            }
        }
        catch (Exception e) when (e is (IOException and not ObjectStoreException) or UnauthorizedAccessException)
        {
            throw new ObjectStoreException($"{store}: {attempted}: {e.Message}", e);
        }
    }

    /// <summary>A put with everything that is the same for all objects of the store.</summary>
    public PutObjectRequest PutRequest(string fullKey, Stream body)
    {
        var request = new PutObjectRequest
        {
            BucketName = options.Bucket,
            Key = fullKey,
            InputStream = body,
            AutoCloseStream = false,
            // Signed in chunks, bodies have a framing that some servers store as content.
            UseChunkEncoding = false,
            ContentType = "application/octet-stream",
        };
        if (options.StorageClass.Length > 0)
        {
            request.StorageClass = new S3StorageClass(options.StorageClass);
        }

        foreach (var (name, value) in options.Metadata)
        {
            request.Metadata.Add(name, value);
        }

        options.Encryption?.Apply(request);
        return request;
    }

    /// <summary>As configured, or more when that would be too many of them.</summary>
    internal static long PartBytesFor(long fileBytes, long wanted) => Math.Max(wanted, (fileBytes + MaxParts - 1) / MaxParts);

    /// <summary>Opens the file anew for each try. Its failure is not the network's, so it is not tried again.</summary>
    private FileStream OpenFile(string attempted, string path, long bytes)
    {
        try
        {
            var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 64 << 10);
            if (file.Length == bytes)
            {
                return file;
            }

            var now = file.Length;
            file.Dispose();
            throw new ObjectStoreException($"{store}: {attempted}: the file had {bytes} bytes and now has {now}: it is being changed");
        }
        catch (Exception e) when (e is (IOException and not ObjectStoreException) or UnauthorizedAccessException)
        {
            throw new ObjectStoreException($"{store}: {attempted}: {e.Message}", e);
        }
    }

    private async Task PutFileAsync(string attempted, string fullKey, string path, long bytes, CancellationToken cancellation) =>
        await calls.RunAsync(new S3Call(attempted, bytes, "the object was stored"), async limit =>
        {
            await using var file = OpenFile(attempted, path, bytes);
            var request = PutRequest(fullKey, file);
            if (options.SendContentMd5)
            {
                request.MD5Digest = Md5.Base64(file, bytes);
                file.Position = 0;
            }

            return await client.PutObjectAsync(request, limit);
        }, cancellation);

    private async Task PutPartsAsync(string attempted, string fullKey, string path, long bytes, CancellationToken cancellation)
    {
        var mark = Guid.NewGuid().ToString("N");
        var uploadId = await BeginAsync(attempted, fullKey, mark, cancellation);
        try
        {
            var parts = await SendAsync(attempted, fullKey, uploadId, path, bytes, cancellation);
            await CompleteAsync(attempted, fullKey, uploadId, parts, bytes, cancellation);
            await VerifyAsync(attempted, fullKey, mark, bytes, cancellation);
        }
        catch (Exception e) when (e is ObjectStoreException or IOException or OperationCanceledException or UnauthorizedAccessException)
        {
            if (await AbortAsync(attempted, fullKey, uploadId) is { } left && e is ObjectStoreException)
            {
                throw new ObjectStoreException($"{e.Message}; its parts may remain until a rule of the bucket ends them, as removing them failed too: {left}", e);
            }

            throw;
        }
    }

    private async Task<string> BeginAsync(string attempted, string fullKey, string mark, CancellationToken cancellation)
    {
        var request = new InitiateMultipartUploadRequest { BucketName = options.Bucket, Key = fullKey, ContentType = "application/octet-stream" };
        if (options.StorageClass.Length > 0)
        {
            request.StorageClass = new S3StorageClass(options.StorageClass);
        }

        foreach (var (name, value) in options.Metadata)
        {
            request.Metadata.Add(name, value);
        }

        request.Metadata[UploadMark] = mark;
        options.Encryption?.Apply(request);
        var answer = await calls.RunAsync(new S3Call(attempted), limit => client.InitiateMultipartUploadAsync(request, limit), cancellation);
        return string.IsNullOrEmpty(answer.UploadId) ? throw new ObjectStoreException($"{store}: {attempted}: the server gave no upload id") : answer.UploadId;
    }

    private async Task<List<PartETag>> SendAsync(
        string attempted, string fullKey, string uploadId, string path, long bytes, CancellationToken cancellation)
    {
        var partBytes = PartBytesFor(bytes, options.PartBytes);
        var parts = new PartETag[(bytes + partBytes - 1) / partBytes];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.ParallelParts, CancellationToken = cancellation };
        await Parallel.ForEachAsync(Enumerable.Range(0, parts.Length), parallel, async (index, stop) =>
        {
            var offset = index * partBytes;
            var length = Math.Min(partBytes, bytes - offset);
            var answer = await calls.RunAsync(new S3Call($"{attempted}, part {index + 1} of {parts.Length}", length), async limit =>
            {
                await using var file = OpenFile(attempted, path, bytes);
                file.Position = offset;
                var request = new UploadPartRequest
                {
                    BucketName = options.Bucket,
                    Key = fullKey,
                    UploadId = uploadId,
                    PartNumber = index + 1,
                    PartSize = length,
                    InputStream = file,
                    UseChunkEncoding = false,
                };
                if (options.SendContentMd5)
                {
                    request.MD5Digest = Md5.Base64(file, length);
                    file.Position = offset;
                }

                options.Encryption?.Apply(request);
                return await client.UploadPartAsync(request, limit);
            }, stop);
            parts[index] = new PartETag(index + 1, answer.ETag);
        });
        return [.. parts];
    }

    private async Task CompleteAsync(
        string attempted, string fullKey, string uploadId, List<PartETag> parts, long bytes, CancellationToken cancellation)
    {
        var request = new CompleteMultipartUploadRequest { BucketName = options.Bucket, Key = fullKey, UploadId = uploadId, PartETags = parts };
        try
        {
            // The server may put the parts together first, so it gets time for all of them.
            await calls.RunAsync(
                new S3Call($"{attempted}, completion", bytes, "the object was stored"), limit => client.CompleteMultipartUploadAsync(request, limit), cancellation);
        }
        catch (ObjectStoreException e) when (e.InnerException is AmazonS3Exception { ErrorCode: "NoSuchUpload" })
        {
            // An earlier try may have completed it and its answer was lost: the verification that follows tells.
        }
    }

    private async Task VerifyAsync(string attempted, string fullKey, string mark, long bytes, CancellationToken cancellation)
    {
        var request = new GetObjectMetadataRequest { BucketName = options.Bucket, Key = fullKey };
        options.Encryption?.Apply(request);
        var found = await calls.RunAsync(new S3Call($"{attempted}, verification"), limit => client.GetObjectMetadataAsync(request, limit), cancellation);
        var foundMark = found.Metadata[UploadMark];
        if (found.ContentLength != bytes || foundMark != mark)
        {
            throw new ObjectStoreException(
                $"{store}: {attempted}: the object should have {bytes} bytes and the mark {mark}, and has {found.ContentLength} and {foundMark ?? "none"}");
        }
    }

    /// <summary>Removes the parts; returns why that failed, or null. Not cancelled with the call: it is what is left to do then.</summary>
    private async Task<string?> AbortAsync(string attempted, string fullKey, string uploadId)
    {
        var request = new AbortMultipartUploadRequest { BucketName = options.Bucket, Key = fullKey, UploadId = uploadId };
        try
        {
            var call = new S3Call($"{attempted}, removal of its parts") { Deadline = cleanupDeadline };
            await calls.RunAsync(call, limit => client.AbortMultipartUploadAsync(request, limit), CancellationToken.None);
            return null;
        }
        catch (ObjectStoreException e) when (e.InnerException is AmazonS3Exception { ErrorCode: "NoSuchUpload" })
        {
            return null;
        }
        catch (ObjectStoreException e)
        {
            return e.Message;
        }
    }
}
