namespace Metrics.Cluster;

/// <summary>Bounds on the labels of a series that is written. A series beyond a bound is refused; its neighbours are not.</summary>
public sealed record LabelLimits
{
    /// <summary>The most labels of a series, the metric name included; 1 to 1024. Default 64: Mimir allows 30, which Kubernetes targets with
    /// many meta labels exceed in practice; Prometheus has no bound.</summary>
    public int MaxLabels { get; init; } = 64;

    /// <summary>The longest label name in bytes; 1 to 65536. Default 1024, as Mimir.</summary>
    public int MaxNameBytes { get; init; } = 1024;

    /// <summary>The longest label value in bytes; 1 to 1048576. Default 4096: twice Mimir's, since Prometheus itself has no bound and senders have
    /// commands and URLs in labels.</summary>
    public int MaxValueBytes { get; init; } = 4096;

    /// <summary>The widest bounds there are.</summary>
    internal static LabelLimits Widest { get; } = new() { MaxLabels = 1024, MaxNameBytes = 65536, MaxValueBytes = 1 << 20 };

    /// <summary>Complaints, each naming the key, its value and what is allowed; none when all is well.</summary>
    public IEnumerable<string> Validate()
    {
        if (MaxLabels is < 1 or > 1024)
        {
            yield return $"max-labels: got {MaxLabels}, want 1 to 1024";
        }

        if (MaxNameBytes is < 1 or > 65536)
        {
            yield return $"max-label-name-bytes: got {MaxNameBytes}, want 1 to 65536";
        }

        if (MaxValueBytes is < 1 or > 1 << 20)
        {
            yield return $"max-label-value-bytes: got {MaxValueBytes}, want 1 to {1 << 20}";
        }
    }
}
