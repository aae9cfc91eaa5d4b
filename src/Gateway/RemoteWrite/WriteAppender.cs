using System.Collections.Concurrent;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Walks a decompressed request once, straight into the batches of the tenant's shards, and sends them. Thread-safe.</summary>
/// <remarks>A known series costs no object and no decoding of its labels. Nothing is appended before the whole message was found sound.</remarks>
internal sealed class WriteAppender(ICluster cluster, RemoteWriteOptions options)
{
    /// <summary>A bucket's difference may come as one byte, and is eight in memory and in the log, whose records have a limit.</summary>
    private const long MaxBucketBytes = 64 * 1024 * 1024;

    private readonly ConcurrentDictionary<TenantId, TenantWriter> writers = new();
    private readonly LabelLimits limits = new()
    {
        MaxLabels = options.MaxLabels,
        MaxNameBytes = (int)options.MaxLabelName.Bytes,
        MaxValueBytes = (int)options.MaxLabelValue.Bytes,
    };

    /// <summary>Appends all samples of a message; returns when those accepted are durable. Also the number of its series.</summary>
    /// <exception cref="WriteRefusal">The message is malformed or holds too many samples; nothing was appended.</exception>
    /// <exception cref="ShardUnavailableException">Some shard cannot take writes now; others may have taken their part, which a retry does not double.</exception>
    public async ValueTask<(WriteOutcome Outcome, int Series)> AppendAsync(TenantId id, ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        var writer = WriterOf(await cluster.OpenTenantAsync(id, cancellation));
        using var partitioner = writer.Begin<RemoteWriteLabels>(message);
        int series;
        try
        {
            series = Read(message.Span, partitioner, writer.Tenant.Metadata);
        }
        catch (FormatException e)
        {
            throw WriteRefusal.Malformed($"remote write: {e.Message}");
        }

        var outcome = await partitioner.WriteAsync(cancellation);
        return outcome.Unavailable is null ? (outcome, series) : throw outcome.Unavailable;
    }

    private int Read(ReadOnlySpan<byte> message, BatchPartitioner<RemoteWriteLabels> partitioner, IMetricMetadata metadata)
    {
        var reader = new WriteRequestReader(message);
        var series = 0;
        var samples = 0L;
        var bucketBytes = 0L;
        for (var part = reader.Read(); part != WriteRequestPart.End; part = reader.Read())
        {
            if (part == WriteRequestPart.Metadata)
            {
                Note(reader.GetMetadata(), metadata);
                continue;
            }

            var view = reader.GetSeries();
            samples += view.SampleCount + view.HistogramCount;
            if (samples > options.MaxSamples)
            {
                throw new WriteRefusal(StatusCodes.Status413PayloadTooLarge, $"too many samples in one request: limit {options.MaxSamples}");
            }

            series++;
            bucketBytes += Add(view, partitioner);
            if (bucketBytes > MaxBucketBytes)
            {
                throw new WriteRefusal(StatusCodes.Status413PayloadTooLarge, $"too many buckets in the native histograms of one request: limit {MaxBucketBytes / sizeof(double)}");
            }
        }

        return series;
    }

    /// <summary>Adds the samples of a series; gives the bytes that the buckets of its histograms take once decoded.</summary>
    private static long Add(TimeSeriesView view, BatchPartitioner<RemoteWriteLabels> partitioner)
    {
        if (!view.HasContiguousLabels)
        {
            throw new WireFormatException(WireError.BadTag, 0, "the labels of a series are interleaved with other fields");
        }

        if (view.SampleCount + view.HistogramCount == 0)
        {
            return 0;
        }

        partitioner.BeginSeries(view.RawLabels);
        foreach (var sample in view.Samples)
        {
            partitioner.Add(sample.TimestampMs, sample.Value);
        }

        var bucketBytes = 0L;
        if (view.HistogramCount > 0)
        {
            foreach (var sample in view.Histograms)
            {
                bucketBytes += AddHistogram(sample, partitioner);
            }
        }

        return bucketBytes;
    }

    private static long AddHistogram(HistogramSample sample, BatchPartitioner<RemoteWriteLabels> partitioner)
    {
        if (sample.FindDefect() is { } defect)
        {
            partitioner.Reject(RejectReason.InvalidHistogram, 1, $"{defect}; timestamp: {sample.TimestampMs}");
            return 0;
        }

        var histogram = sample.ToFloatHistogram();
        partitioner.Add(sample.TimestampMs, histogram);
        return sizeof(double) * (long)(histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length + histogram.CustomValues.Length);
    }

    private static void Note(MetadataView view, IMetricMetadata metadata)
    {
        if (!view.FamilyName.IsEmpty)
        {
            metadata.Put(Encoding.UTF8.GetString(view.FamilyName), new MetricMetadata(TypeText(view.Type), Encoding.UTF8.GetString(view.Help), Encoding.UTF8.GetString(view.Unit)));
        }
    }

    private static string TypeText(MetricType type) => type switch
    {
        MetricType.Counter => "counter",
        MetricType.Gauge => "gauge",
        MetricType.Histogram => "histogram",
        MetricType.GaugeHistogram => "gaugehistogram",
        MetricType.Summary => "summary",
        MetricType.Info => "info",
        MetricType.StateSet => "stateset",
        _ => "unknown",
    };

    private TenantWriter WriterOf(ITenant tenant)
    {
        if (writers.TryGetValue(tenant.Id, out var known) && ReferenceEquals(known.Tenant, tenant))
        {
            return known;
        }

        // Opened again since: its references are of another incarnation, and so is the writer.
        var writer = new TenantWriter(tenant, limits);
        return writers.AddOrUpdate(tenant.Id, static (_, made) => made, static (_, old, made) => ReferenceEquals(old.Tenant, made.Tenant) ? old : made, writer);
    }
}
