using System.Buffers;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;

namespace Metrics.Gateway.Tenancy;

/// <summary>Takes a write request apart by one label, whose value names the tenant of each series and which is removed from it; series without it stay with the request's own tenant. Not thread-safe.</summary>
/// <remarks>
/// What Thanos calls <c>receive.split-tenant-label-name</c>, for whatever format: it sees labels as the readers of all formats hand them on. A request is read twice: first to find out which tenants it names,
/// which are then asked for and opened; then <see cref="Open"/> has given each its batches.
/// </remarks>
internal sealed class TenantSplit(string label, TenantId own) : ISeriesRouter, IMetricMetadata, IDisposable
{
    /// <summary>Tenants that one request may write to.</summary>
    private const int MaxTenants = 1000;

    private readonly byte[] name = Encoding.UTF8.GetBytes(label);
    private readonly ArrayBufferWriter<byte> kept = new(1024);
    private readonly Dictionary<TenantId, TenantPart?> parts = [];
    private bool isOpen;
    private bool isRefused;
    private int refused;
    private string firstRefused = "";
    private TenantPart? current;
    private (string Family, MetricMetadata About)? described;

    /// <summary>The tenants found, ascending; the request's own when it names none.</summary>
    public IReadOnlyList<TenantId> Tenants => parts.Count == 0 ? [own] : [.. parts.Keys.Order()];

    /// <summary>What each tenant gets, once opened.</summary>
    public IEnumerable<TenantPart> Parts => parts.Values.OfType<TenantPart>().OrderBy(static p => p.Tenant.Id);

    /// <summary>Samples of series whose label is no tenant's name; none when there are none.</summary>
    public IReadOnlyList<Rejection> Rejections => refused == 0 ? [] : [new Rejection(RejectReason.InvalidTenant, refused, firstRefused)];

    /// <summary>Gives a tenant that was found its batches; they are disposed with this.</summary>
    public void Open(ITenant tenant, BatchPartitioner<RemoteWriteLabels> partitioner)
    {
        parts[tenant.Id] = new TenantPart(tenant, partitioner);
        isOpen = true;
    }

    /// <inheritdoc/>
    public BatchPartitioner<RemoteWriteLabels>? BeginSeries(ReadOnlySpan<byte> rawLabels)
    {
        if (Find(rawLabels) is not { } tenant)
        {
            current = null;
            isRefused = true;
            return null;
        }

        isRefused = false;
        if (!isOpen)
        {
            Note(tenant);
            return null;
        }

        current = parts[tenant]!;
        current.Series++;
        if (described is { } known && current.Described != known)
        {
            current.Described = known;
            current.Tenant.Metadata.Put(known.Family, known.About);
        }

        current.Partitioner.BeginSeries(kept.WrittenSpan);
        return current.Partitioner;
    }

    /// <inheritdoc/>
    public void Count(bool isPlaced)
    {
        if (isPlaced)
        {
            current!.Samples++;
        }
        else if (isRefused && isOpen)
        {
            refused++;
        }
    }

    /// <inheritdoc/>
    public void Reject(RejectReason reason, int count, string example)
    {
        if (isOpen)
        {
            (current ?? parts.GetValueOrDefault(own) ?? Parts.First()).Partitioner.Reject(reason, count, example);
        }
    }

    /// <inheritdoc/>
    public void Describe(string family, MetricMetadata about) => described = (family, about);

    /// <summary>Metadata that comes with no series is the own tenant's.</summary>
    void IMetricMetadata.Put(string family, MetricMetadata metadata)
    {
        if (!isOpen)
        {
            Note(own);
        }
        else
        {
            parts[own]!.Tenant.Metadata.Put(family, metadata);
        }
    }

    /// <inheritdoc/>
    IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> IMetricMetadata.Get(string? family, int limit, int limitPerFamily) => throw new InvalidOperationException("written to, not read");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in Parts)
        {
            part.Partitioner.Dispose();
        }
    }

    /// <summary>The tenant of a series, whose labels without the one that names it are kept; null when that one names none.</summary>
    private TenantId? Find(ReadOnlySpan<byte> rawLabels)
    {
        kept.ResetWrittenCount();
        ReadOnlySpan<byte> tenant = default;
        while (RemoteWriteLabels.TryNext(ref rawLabels, out var labelName, out var value))
        {
            if (labelName.SequenceEqual(name))
            {
                tenant = value;
            }
            else
            {
                RemoteWriteLabels.Append(kept, labelName, value);
            }
        }

        if (tenant.IsEmpty)
        {
            return own;
        }

        var text = tenant.Length <= TenantId.MaxLength ? Encoding.UTF8.GetString(tenant) : "";
        if (TenantId.TryParse(text, out var id, out var error))
        {
            return id;
        }

        firstRefused = firstRefused.Length > 0 ? firstRefused : text.Length == 0 ? $"tenant id is too long: limit {TenantId.MaxLength}" : error;
        return null;
    }

    private void Note(TenantId tenant)
    {
        if (parts.TryAdd(tenant, null) && parts.Count > MaxTenants)
        {
            throw WriteRefusal.OverLimit($"one write may name {MaxTenants} tenants");
        }
    }

    /// <summary>What one tenant gets of a request.</summary>
    internal sealed class TenantPart(ITenant tenant, BatchPartitioner<RemoteWriteLabels> partitioner)
    {
        public ITenant Tenant => tenant;

        public BatchPartitioner<RemoteWriteLabels> Partitioner => partitioner;

        public long Samples { get; set; }

        public int Series { get; set; }

        public (string Family, MetricMetadata About)? Described { get; set; }
    }
}
