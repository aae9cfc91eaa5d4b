using System.Security.Cryptography;

namespace Metrics.ObjectStore;

/// <summary>Reads the <c>config</c> of type S3.</summary>
internal static class S3Section
{
    private const string StorageClassHeader = "X-Amz-Storage-Class";

    public static S3Options Read(ConfigurationSection config, string prefix)
    {
        var defaults = new S3Options { Bucket = "", Endpoint = "" };
        var (accessKey, secretKey, sessionToken) = Credentials(config);
        Refuse(config);
        var insecure = config.Flag("insecure");
        var http = config.Section("http_config");
        var metadata = config.Texts("put_user_metadata");
        var storageClass = TakeStorageClass(metadata);
        var tryTimeout = http.Duration("response_header_timeout", defaults.TryTimeout);
        var options = new S3Options
        {
            Bucket = Bucket(config),
            Endpoint = Endpoint(config),
            Region = config.Text("region"),
            Prefix = prefix,
            Insecure = insecure,
            AccessKey = accessKey,
            SecretKey = secretKey,
            SessionToken = sessionToken,
            Lookup = config.Choice(
                "bucket_lookup_type", BucketLookup.Auto,
                ("auto", BucketLookup.Auto), ("virtual-hosted", BucketLookup.VirtualHosted), ("path", BucketLookup.Path)),
            ListVersion1 = config.Choice("list_objects_version", false, ("v1", true), ("v2", false)),
            // Thanos sends it unless told not to; our requests carry a SHA-256 in any case, so one more pass over each file must be asked for.
            SendContentMd5 = config.Flag("send_content_md5"),
            Multipart = !config.Flag("disable_multipart"),
            PartBytes = config.Number("part_size", defaults.PartBytes, S3Options.MinPartBytes, S3Options.MaxPartBytes),
            MaxTries = config.Number("max_retries", 0, 0, 1000) is > 0 and var retries ? (int)retries + 1 : defaults.MaxTries,
            Encryption = Encryption(config.Section("sse_config"), config, insecure),
            Metadata = metadata,
            StorageClass = storageClass,
            TryTimeout = tryTimeout,
            // Patient single tries must leave time for others.
            Deadline = tryTimeout * 4 > defaults.Deadline ? tryTimeout * 4 : defaults.Deadline,
            ConnectTimeout = http.Duration("tls_handshake_timeout", defaults.ConnectTimeout),
            ExpectContinueTimeout = http.Duration("expect_continue_timeout", defaults.ExpectContinueTimeout, zeroAllowed: true),
            IdleTimeout = http.Duration("idle_conn_timeout", defaults.IdleTimeout),
            MaxConnections = (int)http.Number("max_conns_per_host", 0, 0, 100_000),
            Tls = Tls(http),
        };
        http.Close();
        config.Close();
        return options;
    }

    /// <summary>Those that change what is sent or logged in ways we do not have; and those that need nothing done, which are only checked.</summary>
    private static void Refuse(ConfigurationSection config)
    {
        if (config.Flag("signature_version2"))
        {
            throw config.At("signature_version2").Wrong("not supported: requests are signed with version 4, which every server of today takes");
        }

        config.NotSupported("sts_endpoint", "temporary credentials come from the AWS SDK's own chain; set AWS_ENDPOINT_URL_STS and its variables there");
        var trace = config.Section("trace");
        if (trace.Flag("enable"))
        {
            throw config.At("trace").Wrong("not supported: requests are not logged, since they hold credentials");
        }

        trace.Close();

        // The endpoint is used as it is written: dual-stack names are asked for by writing one.
        _ = config.Flag("disable_dualstack");
    }

    private static (string AccessKey, string SecretKey, string SessionToken) Credentials(ConfigurationSection config)
    {
        var accessKey = config.Text("access_key");
        var secretKey = config.Text("secret_key");
        var sessionToken = config.Text("session_token");
        if (accessKey.Length == 0 != (secretKey.Length == 0))
        {
            throw config.At(accessKey.Length == 0 ? "secret_key" : "access_key")
                .Wrong("access_key and secret_key are given both, or neither to take credentials from the environment");
        }

        if (sessionToken.Length > 0 && accessKey.Length == 0)
        {
            throw config.At("session_token").Wrong("a session token belongs to an access_key, and there is none");
        }

        return config.Flag("aws_sdk_auth") && accessKey.Length > 0
            ? throw config.At("aws_sdk_auth").Wrong("credentials come either from the environment or from access_key, not both")
            : (accessKey, secretKey, sessionToken);
    }

    private static string Bucket(ConfigurationSection config)
    {
        var bucket = config.Required("bucket");
        return bucket.Length is >= 3 and <= 63 && bucket.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_')
            ? bucket
            : throw config.At("bucket").Wrong($"got \"{bucket}\", want 3 to 63 letters, digits, dots and dashes");
    }

    private static string Endpoint(ConfigurationSection config)
    {
        var endpoint = config.Required("endpoint");
        if (endpoint.Contains("://", StringComparison.Ordinal))
        {
            throw config.At("endpoint").Wrong("want host or host:port without a scheme; insecure says whether it is http or https");
        }

        return Uri.TryCreate($"https://{endpoint}", UriKind.Absolute, out var address)
            && address.PathAndQuery == "/" && address.Fragment.Length == 0 && address.UserInfo.Length == 0 && !endpoint.EndsWith('/')
                ? endpoint
                : throw config.At("endpoint").Wrong("want host or host:port, nothing before or after it");
    }

    private static string TakeStorageClass(Dictionary<string, string> metadata)
    {
        var name = metadata.Keys.FirstOrDefault(k => k.Equals(StorageClassHeader, StringComparison.OrdinalIgnoreCase));
        return name is not null && metadata.Remove(name, out var storageClass) ? storageClass : "";
    }

    private static S3Encryption? Encryption(ConfigurationSection sse, ConfigurationSection config, bool insecure)
    {
        var type = sse.Choice("type", "", ("SSE-S3", "SSE-S3"), ("SSE-KMS", "SSE-KMS"), ("SSE-C", "SSE-C"));
        var keyId = sse.Text("kms_key_id");
        var context = sse.Texts("kms_encryption_context");
        var keyFile = sse.Text("encryption_key");
        sse.Close();
        if (type != "SSE-KMS" && (keyId.Length > 0 || context.Count > 0))
        {
            throw config.At("sse_config").Wrong("kms_key_id and kms_encryption_context belong to type SSE-KMS");
        }

        if (type != "SSE-C" && keyFile.Length > 0)
        {
            throw config.At("sse_config").Wrong("encryption_key belongs to type SSE-C");
        }

        switch (type)
        {
            case "SSE-S3":
                return S3Encryption.OfServer;
            case "SSE-KMS":
                return keyId.Length > 0 ? S3Encryption.OfKeyService(keyId, context) : throw config.At("sse_config").Wrong("SSE-KMS needs a kms_key_id");
            case "SSE-C" when insecure:
                throw config.At("sse_config").Wrong("SSE-C sends the key along, so it needs TLS: insecure must be false");
            case "SSE-C" when keyFile.Length == 0:
                throw config.At("sse_config").Wrong("SSE-C needs encryption_key, the path of a file with the key");
            case "SSE-C":
                return S3Encryption.OfCustomer(ReadKey(keyFile, sse));
            default:
                return null;
        }
    }

    private static byte[] ReadKey(string path, ConfigurationSection sse)
    {
        try
        {
            using var file = File.OpenRead(path);
            var key = new byte[S3Encryption.CustomerKeyBytes];
            if (file.Length == key.Length && file.ReadAtLeast(key, key.Length, throwOnEndOfStream: false) == key.Length)
            {
                return key;
            }

            CryptographicOperations.ZeroMemory(key);
            throw sse.At("encryption_key").Wrong($"{path} has {file.Length} bytes, want a key of {S3Encryption.CustomerKeyBytes}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw sse.At("encryption_key").Wrong($"cannot read the key: {e.Message}");
        }
    }

    private static S3Tls Tls(ConfigurationSection http)
    {
        // Pools of idle connections need no size in .NET, and we never ask for compressed answers: nothing to do, only to check.
        _ = http.Number("max_idle_conns", 0, 0, 1_000_000);
        _ = http.Number("max_idle_conns_per_host", 0, 0, 1_000_000);
        _ = http.Flag("disable_compression");
        var anyCertificate = http.Flag("insecure_skip_verify");
        var section = http.Section("tls_config");
        var tls = new S3Tls
        {
            CaFile = section.Text("ca_file"),
            CertFile = section.Text("cert_file"),
            KeyFile = section.Text("key_file"),
            ServerName = section.Text("server_name"),
            InsecureSkipVerify = section.Flag("insecure_skip_verify") || anyCertificate,
        };
        section.Close();
        return tls.CertFile.Length == 0 == (tls.KeyFile.Length == 0)
            ? tls
            : throw http.At("tls_config").Wrong("cert_file and key_file are given both or neither");
    }
}
