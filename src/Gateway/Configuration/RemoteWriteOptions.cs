namespace Metrics.Gateway.Configuration;

/// <summary>What a remote write may be. Every limit is checked before memory is taken for what it limits.</summary>
public sealed class RemoteWriteOptions
{
    /// <summary>Bytes as sent. Prometheus sends well below 1 MiB; 32 MiB is Prometheus's own bound for a decoded message.</summary>
    [Setting("The largest body as sent (compressed).", Min = "1KiB", Max = "1GiB")]
    public ByteSize MaxBody { get; set; } = ByteSize.MiB(32);

    /// <summary>Bytes after Snappy. Label sets compress 5 to 10 fold, and four times the body keeps honest backfills whole and bombs out.</summary>
    [Setting("The largest body after decompression.", Min = "1KiB", Max = "1GiB")]
    public ByteSize MaxDecompressed { get; set; } = ByteSize.MiB(128);

    /// <summary>Bytes of bodies, as sent and decompressed, that all writes in flight may hold together; beyond it 503 tells senders to come back. Two of the largest fit.</summary>
    [Setting("What all writes in flight may hold together, as sent and decompressed.", Min = "1MiB", Max = "64GiB")]
    public ByteSize MaxInflight { get; set; } = ByteSize.MiB(384);

    /// <summary>Samples in one request, so that a small body of empty samples cannot become a large batch: 20 bytes each, 40 MB at the default. Prometheus sends 2000.</summary>
    [Setting("Samples in one request.", Min = "1", Max = "100000000")]
    public int MaxSamples { get; set; } = 2_000_000;

    /// <summary>Labels of a series, the metric name included. Mimir allows 30, which Kubernetes targets with many meta labels exceed; Prometheus has no bound.</summary>
    [Setting("Labels of a series, the metric name included.", Min = "1", Max = "1024")]
    public int MaxLabels { get; set; } = 64;

    /// <summary>Bytes of a label name; Mimir's 1024.</summary>
    [Setting("The longest label name.", Min = "1", Max = "64KiB")]
    public ByteSize MaxLabelName { get; set; } = new(1024);

    /// <summary>Bytes of a label value; twice Mimir's, since senders have commands and URLs in labels.</summary>
    [Setting("The longest label value.", Min = "1", Max = "1MiB")]
    public ByteSize MaxLabelValue { get; set; } = new(4096);

    /// <summary>What is answered when all that is refused are samples out of order, too old, too far ahead or of another value for an instant. Thanos's receivers say 409, which its routers and dashboards go by; no sender repeats either.</summary>
    [Setting("Answer 409 as Thanos, not 400, when samples are refused for their time or because of others that are stored, and for nothing else.")]
    public bool ThanosConflicts { get; set; }

    /// <summary>What Retry-After says with 503, rounded up to seconds. Prometheus backs off 30 ms to 5 s by itself; the header is for others.</summary>
    [Setting("What Retry-After says when a write has to come back later.", Min = "1s", Max = "10m")]
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(5);
}
