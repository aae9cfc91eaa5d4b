using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Relabelling;

namespace Metrics.Gateway.Limits;

/// <summary>What one tenant may ask of the server: the section <c>limits</c> for all, and what the overrides file says for one. Names are Mimir's, so that its overrides files can be brought along.</summary>
/// <remarks>
/// 0 is no limit everywhere. Rates and series have no limit by default: one process and its first Prometheus need none, and where tenants do not know each other, whoever runs it knows their sizes. What bounds
/// memory whatever a tenant does is on by default: <c>remote_write</c> (sizes of a request) and <c>query</c> (samples of a query, queries at once). Not changed once it is in use.
/// </remarks>
public sealed class TenantLimits
{
    /// <summary>Samples, histograms and exemplars a second.</summary>
    [Setting("Samples a tenant may write a second, on average, through all gateways together; 0 for no limit.", Min = "0", Max = "1000000000000")]
    public long IngestionRate { get; set; }

    /// <summary>Samples that may come at once. Twenty seconds at Mimir's rate: a sender that was cut off has more than one request to catch up with.</summary>
    [Setting("Samples a tenant may write at once above the rate.", Min = "1", Max = "1000000000000")]
    public long IngestionBurstSize { get; set; } = 200_000;

    /// <summary>Write requests a second.</summary>
    [Setting("Write requests of a tenant a second, on average, through all gateways together; 0 for no limit.", Min = "0", Max = "1000000000")]
    public long RequestRate { get; set; }

    /// <summary>Write requests that may come at once.</summary>
    [Setting("Write requests of a tenant at once above the rate.", Min = "1", Max = "1000000000")]
    public long RequestBurstSize { get; set; } = 1000;

    /// <summary>Bytes of one write request as sent; smaller than <c>remote_write.max_body</c> to mean anything.</summary>
    [Setting("The largest write request of a tenant as sent; 0 for remote_write.max_body alone.", Min = "0", Max = "1GiB")]
    public ByteSize RequestSize { get; set; }

    /// <summary>Series of one write request.</summary>
    [Setting("Series in one write request; 0 for no limit.", Min = "0", Max = "100000000")]
    public long RequestSeries { get; set; }

    /// <summary>Samples of one write request.</summary>
    [Setting("Samples in one write request of a tenant; 0 for remote_write.max_samples alone.", Min = "0", Max = "100000000")]
    public long RequestSamples { get; set; }

    /// <summary>Series in the heads of all of a tenant's shards: those written to in the last hours.</summary>
    [Setting("Active series of a tenant: those in memory; known ones go on, new ones are refused. 0 for no limit.", Min = "0", Max = "1000000000000")]
    public long MaxGlobalSeriesPerUser { get; set; }

    /// <summary>Of those, the series of one metric.</summary>
    [Setting("Active series of one metric of a tenant; 0 for no limit.", Min = "0", Max = "1000000000000")]
    public long MaxGlobalSeriesPerMetric { get; set; }

    /// <summary>Labels of a series; smaller than <c>remote_write.max_labels</c> to mean anything.</summary>
    [Setting("Labels of a series of a tenant, the metric name included; 0 for remote_write.max_labels alone.", Min = "0", Max = "1024")]
    public int MaxLabelNamesPerSeries { get; set; }

    /// <summary>Bytes of a label name.</summary>
    [Setting("Bytes of a label name of a tenant; 0 for remote_write.max_label_name alone.", Min = "0", Max = "65536")]
    public int MaxLabelNameLength { get; set; }

    /// <summary>Bytes of a label value.</summary>
    [Setting("Bytes of a label value of a tenant; 0 for remote_write.max_label_value alone.", Min = "0", Max = "1048576")]
    public int MaxLabelValueLength { get; set; }

    /// <summary>Values of one label, metric names aside, over the series of the last hours. New series with further ones get <c>__cardinality_overflow__</c> in their place.</summary>
    [Setting("Values that one label of a tenant may have; further ones are replaced by __cardinality_overflow__. 0 for no limit.", Min = "0", Max = "10000000")]
    public int MaxValuesPerLabel { get; set; }

    /// <summary>Whether pairs of senders are recognised. Off by default: a label that happens to be called <c>cluster</c> must not cost samples.</summary>
    [Setting("Listen to one replica of each pair of senders only.")]
    public bool AcceptHaSamples { get; set; }

    /// <summary>The label that the replicas of a pair share.</summary>
    [Setting("Label that the replicas of a pair share.")]
    public string HaClusterLabel { get; set; } = "cluster";

    /// <summary>The label that tells them apart; it is not stored.</summary>
    [Setting("Label that tells the replicas of a pair apart; it is not stored.")]
    public string HaReplicaLabel { get; set; } = "__replica__";

    /// <summary>Pairs of a tenant, so that a label with many values cannot fill memory.</summary>
    [Setting("Pairs of senders of a tenant; writes of more are refused. 0 for no limit.", Min = "0", Max = "1000000")]
    public int HaMaxClusters { get; set; } = 100;

    /// <summary>Series that the selectors of one query may find.</summary>
    [Setting("Series that one query may read; 0 for no limit.", Min = "0", Max = "1000000000000")]
    public long MaxFetchedSeriesPerQuery { get; set; }

    /// <summary>Chunks that one query may read; one that two windows share counts once. Mimir's default is 2,000,000, which is about 1,400 series of a month scraped every 15 s.</summary>
    [Setting("Chunks that one query may read; 0 for no limit.", Min = "0", Max = "1000000000000")]
    public long MaxFetchedChunksPerQuery { get; set; }

    /// <summary>Bytes of the chunks that one query may read, as they are stored (about 1.3 a sample in blocks, up to 9 in memory); a chunk that two windows share counts once. Samples that are in no chunk yet count as they are in memory: 16 for a float.</summary>
    [Setting("Bytes of chunks that one query may read, as stored; 0 for no limit.", Min = "0", Max = "100000GiB")]
    public ByteSize MaxFetchedChunkBytesPerQuery { get; set; }

    /// <summary>Samples that one query may hold at once; smaller than <c>query.max_samples</c> to mean anything.</summary>
    [Setting("Samples a query of a tenant may hold in memory at once; 0 for query.max_samples alone.", Min = "0", Max = "100000000000")]
    public long MaxSamplesPerQuery { get; set; }

    /// <summary>Bytes that one query may hold at once, as they are estimated: 16 for a sample that it works on or answers with, something for each series.</summary>
    [Setting("Memory that one query may hold, as it is estimated; 0 for query.max_inflight_bytes alone.", Min = "0", Max = "100000GiB")]
    public ByteSize MaxEstimatedMemoryConsumptionPerQuery { get; set; }

    /// <summary>From start to end of a range query, and of what other endpoints are asked for.</summary>
    [Setting("The longest range of a range query; 0 for no limit.", Min = "0", Max = "100y")]
    public TimeSpan MaxTotalQueryLength { get; set; }

    /// <summary>Nothing older than this is read; what a query asks for before it is as if it were not there.</summary>
    [Setting("How far back from now queries may read; what is older is left out. 0 for no limit.", Min = "0", Max = "100y")]
    public TimeSpan MaxQueryLookback { get; set; }

    /// <summary>Parts of a split query that are evaluated at once. Mimir's default of 14 is for a fleet of queriers; here <c>front_end.max_parallel_parts</c> is 2, since shards work side by side within a part.</summary>
    [Setting("Parts of a split query of a tenant evaluated at once; 0 for front_end.max_parallel_parts alone.", Min = "0", Max = "64")]
    public int MaxQueryParallelism { get; set; }

    /// <summary>Bytes of the text of a query; the URL or form has limits of its own.</summary>
    [Setting("Bytes of a query's text; 0 for no limit.", Min = "0", Max = "10MiB")]
    public ByteSize MaxQueryExpressionSizeBytes { get; set; }

    /// <summary>Queries of a tenant evaluated at once; more wait.</summary>
    [Setting("Queries of a tenant evaluated at once, others wait; 0 for query.max_concurrency alone.", Min = "0", Max = "10000")]
    public int MaxQueryConcurrency { get; set; }

    /// <summary>Queries of a tenant that may wait for their turn (<c>max_outstanding_requests_per_tenant</c>).</summary>
    [Setting("Queries of a tenant that may wait for their turn, beyond it 429; 0 for query.max_queued alone.", Min = "0", Max = "1000000")]
    public int MaxOutstandingRequestsPerTenant { get; set; } = 100;

    /// <summary>Whether who may write to the tenant may also upload blocks, past all limits on series and samples. Off as in Mimir; administrators always may.</summary>
    [Setting("Let whoever writes to a tenant upload blocks into it; administrators always may.")]
    public bool CompactorBlockUploadEnabled { get; set; }

    /// <summary>Bytes of all files of an uploaded block.</summary>
    [Setting("The largest block that may be uploaded into a tenant; 0 for no limit.", Min = "0", Max = "100000GiB")]
    public ByteSize CompactorBlockUploadMaxBlockSizeBytes { get; set; }

    /// <summary>Rules that change the labels of series before they are stored; null for those of <c>relabelling.file</c>.</summary>
    public RelabelList? MetricRelabelConfigs { get; set; }

    /// <summary>Queries that are refused unseen.</summary>
    public IReadOnlyList<BlockedQuery> BlockedQueries { get; set; } = [];

    /// <summary>A copy to be changed.</summary>
    public TenantLimits Copy() => (TenantLimits)MemberwiseClone();

    /// <summary>The bounds on series as the shards know them.</summary>
    public SeriesLimits Series => new(MaxGlobalSeriesPerUser, MaxGlobalSeriesPerMetric);

    /// <summary>The smaller of two limits of which 0 is none.</summary>
    public static long Least(long one, long other) => one == 0 ? other : other == 0 ? one : Math.Min(one, other);
}
