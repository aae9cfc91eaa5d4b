namespace Metrics.ObjectStore;

/// <summary>How to find a bucket name in an address.</summary>
public enum BucketLookup
{
    /// <summary>As a host name at Amazon, as a path elsewhere.</summary>
    Auto,

    /// <summary><c>https://bucket.endpoint/key</c>.</summary>
    VirtualHosted,

    /// <summary><c>https://endpoint/bucket/key</c>.</summary>
    Path,
}

/// <summary>Where a bucket is, who we are there, and how patient to be. Its text never holds a secret.</summary>
public sealed class S3Options
{
    /// <summary>S3's smallest part, except for the last one.</summary>
    public const long MinPartBytes = 5L << 20;

    /// <summary>S3's biggest part.</summary>
    public const long MaxPartBytes = 5L << 30;

    /// <summary>The bucket's name.</summary>
    public required string Bucket { get; init; }

    /// <summary>Host, and port if not the usual one, without a scheme: <c>s3.eu-west-1.amazonaws.com</c>, <c>minio:9000</c>.</summary>
    public required string Endpoint { get; init; }

    /// <summary>What requests are signed for. Empty: from an amazonaws.com endpoint, else us-east-1, which others mostly accept.</summary>
    public string Region { get; init; } = "";

    /// <summary>Put before all keys, with no slash at either end; empty for none.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Plain HTTP. Only for a network nobody else is on.</summary>
    public bool Insecure { get; init; }

    /// <summary>The name of the key; empty to take credentials from the environment (variables, profile, container, instance).</summary>
    public string AccessKey { get; init; } = "";

    /// <summary>The key's secret.</summary>
    public string SecretKey { get; init; } = "";

    /// <summary>The token of temporary credentials; empty for lasting ones.</summary>
    public string SessionToken { get; init; } = "";

    /// <summary>Where the bucket's name goes.</summary>
    public BucketLookup Lookup { get; init; }

    /// <summary>Lists with the first version of the call, which some old servers only know.</summary>
    public bool ListVersion1 { get; init; }

    /// <summary>Sends Content-MD5 too, which buckets with object lock want. The SHA-256 that is part of the signature is always sent.</summary>
    public bool SendContentMd5 { get; init; }

    /// <summary>Files longer than this go up in parts of this size (more when there would be over 10,000). 64 MiB, as in Thanos.</summary>
    public long PartBytes { get; init; } = 64L << 20;

    /// <summary>False for servers that know no multipart uploads; files are then bounded by what they take in one request (5 GiB at Amazon).</summary>
    public bool Multipart { get; init; } = true;

    /// <summary>How many parts of a file travel at once. 4 fill a fast link without filling memory: parts are streamed from the file.</summary>
    public int ParallelParts { get; init; } = 4;

    /// <summary>Encryption by the server, or null.</summary>
    public S3Encryption? Encryption { get; init; }

    /// <summary>Sent with every object.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The storage class of new objects; empty for the bucket's own.</summary>
    public string StorageClass { get; init; } = "";

    /// <summary>Certificates.</summary>
    public S3Tls Tls { get; init; } = new();

    /// <summary>How often a request is tried in all, within <see cref="Deadline"/>. 10, as in the client that Thanos uses.</summary>
    public int MaxTries { get; init; } = 10;

    /// <summary>How long one try may take before it counts as lost, plus the transfer at <see cref="MinBytesPerSecond"/>.</summary>
    public TimeSpan TryTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a request may take with all its tries and the pauses between, plus the transfer at <see cref="MinBytesPerSecond"/>.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Slower than this counts as stuck. 1 MiB/s: below the slowest link one would put long-term storage behind.</summary>
    public long MinBytesPerSecond { get; init; } = 1 << 20;

    /// <summary>The pause after the first failed try; it doubles with each, up to <see cref="LongestPause"/>, and is shortened by up to a half at random.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Where doubling stops.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection and its TLS handshake may take. 10 s, as in Thanos.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long an unused connection is kept. 90 s, as in Thanos.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>How long to wait for a server's leave to send a body before sending it all the same. 1 s, as in Thanos.</summary>
    public TimeSpan ExpectContinueTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many connections at once; 0 for no bound.</summary>
    public int MaxConnections { get; init; }

    /// <summary>The store's name: <c>s3://bucket/prefix</c>.</summary>
    public override string ToString() => Prefix.Length == 0 ? $"s3://{Bucket}" : $"s3://{Bucket}/{Prefix}";
}

/// <summary>How to know the server, and show who we are, on TLS.</summary>
public sealed class S3Tls
{
    /// <summary>PEM file with the only authorities to trust; empty for the system's.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>PEM file with our certificate; empty for none.</summary>
    public string CertFile { get; init; } = "";

    /// <summary>PEM file with our certificate's key.</summary>
    public string KeyFile { get; init; } = "";

    /// <summary>The name that the server's certificate must have; empty for the endpoint's.</summary>
    public string ServerName { get; init; } = "";

    /// <summary>Takes any certificate. Then anybody on the way can read and change everything.</summary>
    public bool InsecureSkipVerify { get; init; }
}
