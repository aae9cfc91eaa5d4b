using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Walks a decompressed request once, straight into the batches of the tenant's shards, and sends them. Thread-safe.</summary>
/// <remarks>A known series costs no object and no decoding of its labels. Nothing is appended before the whole message was found sound.</remarks>
internal sealed class WriteAppender(ICluster cluster, RemoteWriteOptions options)
{
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
    public ValueTask<(WriteOutcome Outcome, int Series)> AppendAsync(TenantId id, WriteProtocol protocol, ReadOnlyMemory<byte> message, CancellationToken cancellation) =>
        AppendAsync(id, protocol == WriteProtocol.V1 ? WriteV1.Read : WriteV2.Read, message, cancellation);

    /// <summary>The same for a message of any format.</summary>
    public async ValueTask<(WriteOutcome Outcome, int Series)> AppendAsync(TenantId id, WriteReader reader, ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        var writer = WriterOf(await cluster.OpenTenantAsync(id, cancellation));
        using var partitioner = writer.Begin<RemoteWriteLabels>(message);
        int series;
        try
        {
            series = reader(message.Span, partitioner, writer.Tenant.Metadata, new RequestLoad(options));
        }
        catch (FormatException e)
        {
            throw WriteRefusal.Malformed(e.Message);
        }

        var outcome = await partitioner.WriteAsync(cancellation);
        return outcome.Unavailable is null ? (outcome, series) : throw outcome.Unavailable;
    }

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

/// <summary>Walks a message into the shards' batches; gives the number of its series.</summary>
/// <exception cref="FormatException">It is malformed.</exception>
/// <exception cref="WriteRefusal">It asks for too much.</exception>
internal delegate int WriteReader(ReadOnlySpan<byte> message, BatchPartitioner<RemoteWriteLabels> partitioner, IMetricMetadata metadata, RequestLoad load);
