using System.Security.Cryptography;
using System.Text.Json;
using Amazon.S3;
using Amazon.S3.Model;

namespace Metrics.ObjectStore;

/// <summary>Encryption by the server: with its own key, with one of its key service, or with one that we send along. Holds no readable secret.</summary>
public sealed class S3Encryption
{
    /// <summary>The length of a key that we send along: AES-256.</summary>
    public const int CustomerKeyBytes = 32;

    private readonly ServerSideEncryptionMethod? method;
    private readonly string? keyId;
    private readonly string? context;
    private readonly string? customerKey;
    private readonly string? customerKeyMd5;

    private S3Encryption(ServerSideEncryptionMethod? method, string? keyId = null, string? context = null, byte[]? customerKey = null)
    {
        this.method = method;
        this.keyId = keyId;
        this.context = context;
        if (customerKey is not null)
        {
            this.customerKey = Convert.ToBase64String(customerKey);
            customerKeyMd5 = Md5.Base64(customerKey);
        }
    }

    /// <summary>SSE-S3: the server's own key.</summary>
    public static S3Encryption OfServer { get; } = new(ServerSideEncryptionMethod.AES256);

    /// <summary>True when we send the key, which must not travel in the open.</summary>
    public bool NeedsTls => customerKey is not null;

    /// <summary>SSE-KMS: a key of the key service, with the context it is bound to.</summary>
    public static S3Encryption OfKeyService(string keyId, IReadOnlyDictionary<string, string> context) =>
        new(ServerSideEncryptionMethod.AWSKMS, keyId, context.Count == 0 ? null : Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(context)));

    /// <summary>SSE-C: a key of ours, <see cref="CustomerKeyBytes"/> long.</summary>
    public static S3Encryption OfCustomer(byte[] key)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, CustomerKeyBytes);
        return new S3Encryption(null, customerKey: key);
    }

    internal void Apply(PutObjectRequest request)
    {
        request.ServerSideEncryptionMethod = method;
        request.ServerSideEncryptionKeyManagementServiceKeyId = keyId;
        request.ServerSideEncryptionKeyManagementServiceEncryptionContext = context;
        if (customerKey is not null)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = customerKey;
            request.ServerSideEncryptionCustomerProvidedKeyMD5 = customerKeyMd5;
        }
    }

    internal void Apply(InitiateMultipartUploadRequest request)
    {
        request.ServerSideEncryptionMethod = method;
        request.ServerSideEncryptionKeyManagementServiceKeyId = keyId;
        request.ServerSideEncryptionKeyManagementServiceEncryptionContext = context;
        if (customerKey is not null)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = customerKey;
            request.ServerSideEncryptionCustomerProvidedKeyMD5 = customerKeyMd5;
        }
    }

    internal void Apply(UploadPartRequest request)
    {
        if (customerKey is not null)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = customerKey;
            request.ServerSideEncryptionCustomerProvidedKeyMD5 = customerKeyMd5;
        }
    }

    internal void Apply(GetObjectRequest request)
    {
        if (customerKey is not null)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = customerKey;
            request.ServerSideEncryptionCustomerProvidedKeyMD5 = customerKeyMd5;
        }
    }

    internal void Apply(GetObjectMetadataRequest request)
    {
        if (customerKey is not null)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = customerKey;
            request.ServerSideEncryptionCustomerProvidedKeyMD5 = customerKeyMd5;
        }
    }
}

/// <summary>MD5 where the protocol asks for it: as a checksum, never as a protection.</summary>
internal static class Md5
{
#pragma warning disable CA5351 // S3 defines Content-MD5 and the key's MD5 so; integrity against an attacker is the signature's job (SHA-256).
    public static string Base64(ReadOnlySpan<byte> content) => Convert.ToBase64String(MD5.HashData(content));

    /// <summary>Of a part of a file.</summary>
    public static string Base64(Stream file, long bytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        var buffer = new byte[64 << 10];
        while (bytes > 0)
        {
            var read = file.Read(buffer, 0, (int)Math.Min(bytes, buffer.Length));
            if (read == 0)
            {
                throw new EndOfStreamException($"the file ended {bytes} bytes early");
            }

            hash.AppendData(buffer, 0, read);
            bytes -= read;
        }

        return Convert.ToBase64String(hash.GetHashAndReset());
    }
#pragma warning restore CA5351
}
