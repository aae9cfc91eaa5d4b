using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Relabelling;
using Metrics.Gateway.Telemetry;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Walks a decompressed request once, straight into the batches of the tenant's shards, and sends them. Thread-safe.</summary>
/// <remarks>A known series costs no object and no decoding of its labels. Nothing is appended before the whole message was found sound.</remarks>
internal sealed class WriteAppender(ICluster cluster, RemoteWriteOptions options, IngestLimits limits, WriteRules rules, WriteRuleInstruments instruments, TimeProvider time)
{
    private readonly TenantWriters writers = new(time);

    /// <summary>What walks the messages of a remote write protocol.</summary>
    public static WriteReader ReaderOf(WriteProtocol protocol) => protocol == WriteProtocol.V1 ? WriteV1.Read : WriteV2.Read;

    /// <summary>Appends all samples of a message; returns when those accepted are durable. Also the number of its series.</summary>
    /// <exception cref="WriteRefusal">The message is malformed or holds too many samples; nothing was appended.</exception>
    /// <exception cref="ShardUnavailableException">Some shard cannot take writes now; others may have taken their part, which a retry does not double.</exception>
    public async ValueTask<(WriteOutcome Outcome, int Series)> AppendAsync(TenantId id, WriteReader reader, ReadOnlyMemory<byte> message, int sentBytes, CancellationToken cancellation)
    {
        var (tenant, partitioner) = await BeginAsync(id, message, cancellation);
        using (partitioner)
        {
            var (samples, series) = await ReadAsync(id, reader, message, new WriteSink(partitioner, tenant.Metadata, limits.Limits.Of(id).MaxMetadataLength), cancellation);
            return (await StoreAsync(id, partitioner, samples, series, sentBytes, cancellation), series);
        }
    }

    /// <summary>Begins the batches of a request for a tenant; the caller disposes them.</summary>
    public async ValueTask<(ITenant Tenant, BatchPartitioner<RemoteWriteLabels> Batches)> BeginAsync(TenantId id, ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        var tenant = await cluster.OpenTenantAsync(id, cancellation);
        if (rules.CapOf(id) is { } cap)
        {
            await cap.ReadyAsync(tenant, cancellation);
        }

        var writer = WriterOf(tenant);
        return (writer.Tenant, writer.Begin<RemoteWriteLabels>(message, rules.GateOf(id)));
    }

    /// <summary>Reads a message within the processor share of the tenant that sent it; gives its samples and series.</summary>
    /// <exception cref="WriteRefusal">The message is malformed or asks for too much.</exception>
    public async ValueTask<(long Samples, int Series)> ReadAsync(TenantId sender, WriteReader reader, ReadOnlyMemory<byte> message, WriteSink sink, CancellationToken cancellation)
    {
        try
        {
            var load = new RequestLoad(options);
            var series = await ProcessorShares.OfProcess.RunHereAsync(sender, ProcessorUse.Write, () => reader(message.Span, sink, load), cancellation);
            return (load.Samples, series);
        }
        catch (FormatException e)
        {
            throw WriteRefusal.Malformed(e.Message);
        }
    }

    /// <summary>Stores what was read for a tenant, if its rates allow; returns when those accepted are durable.</summary>
    /// <exception cref="WriteRefusal">They don't, and nothing was stored.</exception>
    /// <exception cref="ShardUnavailableException">Some shard cannot take writes now; others may have taken their part, which a retry does not double.</exception>
    public async ValueTask<WriteOutcome> StoreAsync(TenantId id, BatchPartitioner<RemoteWriteLabels> partitioner, long samples, int series, int sentBytes, CancellationToken cancellation)
    {
        await partitioner.SettleAsync(cancellation);
        if (!partitioner.IsShut)
        {
            limits.AdmitSamples(id, samples, series, sentBytes);
        }

        var outcome = await partitioner.WriteAsync(cancellation);
        if (outcome.IsShut)
        {
            instruments.OnShut(id);
        }
        else if (outcome.LeftOut > 0)
        {
            instruments.OnLeftOut(id, outcome.LeftOut);
        }

        return outcome.Unavailable is null ? outcome : throw outcome.Unavailable;
    }

    private TenantWriter WriterOf(ITenant tenant)
    {
        var bounds = BoundsOf(tenant.Id);
        var rewrite = rules.RewriteOf(tenant.Id);
        // Opened again since, and then its references are of another incarnation; or its limits or rules have changed, and with them what is known of its series.
        return writers.Find(tenant.Id) is { } known && IsSame(known, tenant, bounds, rewrite)
            ? known
            : writers.Put(new TenantWriter(tenant, bounds, rewrite: rewrite, time: time), static (old, made) => IsSame(old, made.Tenant, made.Limits, made.Rewrite));
    }

    private static bool IsSame(TenantWriter known, ITenant tenant, LabelLimits bounds, ISeriesRewrite? rewrite) =>
        ReferenceEquals(known.Tenant, tenant) && known.Limits == bounds && Equals(known.Rewrite, rewrite);

    private LabelLimits BoundsOf(TenantId tenant)
    {
        var own = limits.Limits.Of(tenant);
        return new LabelLimits
        {
            MaxLabels = (int)TenantLimits.Least(options.MaxLabels, own.MaxLabelNamesPerSeries),
            MaxNameBytes = (int)TenantLimits.Least(options.MaxLabelName.Bytes, own.MaxLabelNameLength),
            MaxValueBytes = (int)TenantLimits.Least(options.MaxLabelValue.Bytes, own.MaxLabelValueLength),
        };
    }
}

/// <summary>Walks a message into the shards' batches; gives the number of its series.</summary>
/// <exception cref="FormatException">It is malformed.</exception>
/// <exception cref="WriteRefusal">It asks for too much.</exception>
internal delegate int WriteReader(ReadOnlySpan<byte> message, WriteSink sink, RequestLoad load);
