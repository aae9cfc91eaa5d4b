using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;

namespace Metrics.Gateway.Limits;

/// <summary>Holds writes against their tenant's limits before anything is stored. Thread-safe.</summary>
/// <remarks>
/// A rate is the tenant's over all gateways: each lets through its share of it, by what it is sent, and a burst as a whole, for senders keep to one connection for long. Gateways hear of each other every few seconds, so a
/// tenant whose senders all move to another gateway has less than its rate for some of them. Texts carry Mimir's ids (pkg/util/globalerror), which its runbooks and people's searches go by.
/// </remarks>
/// <param name="limits">The limits.</param>
/// <param name="time">The clock.</param>
/// <param name="share">This gateway's share of a tenant's rate, by what it sends here a second.</param>
internal sealed class IngestLimits(LimitsTable limits, TimeProvider time, Func<TenantId, double, double> share)
{
    private readonly ConcurrentDictionary<TenantId, TenantUsage> usage = new();

    /// <summary>The limits.</summary>
    public LimitsTable Limits => limits;

    /// <summary>What a tenant has used since the start.</summary>
    public TenantUsage UsageOf(TenantId tenant) => usage.TryGetValue(tenant, out var known) ? known : usage.GetOrAdd(tenant, new TenantUsage(time));

    /// <summary>What tenants have asked of this process since the start, in the order given.</summary>
    public IReadOnlyList<TenantCounts> CountsOf(IReadOnlyList<TenantId> tenants) => [.. tenants.Select(t => usage.TryGetValue(t, out var known) ? known.Counts : default)];

    /// <summary>Counts a write request, before its body is read.</summary>
    /// <exception cref="WriteRefusal">Too many a second (429), or too large (413).</exception>
    public void AdmitRequest(TenantId tenant, long? bytes)
    {
        var own = limits.Of(tenant);
        AdmitSize(tenant, bytes ?? 0);
        if (own.IngestionRate > 0 && UsageOf(tenant).LastTooFast is { } last && bytes >= last.Bytes && (last.Rate, last.Burst) == (own.IngestionRate, own.IngestionBurstSize) && last.Until - time.GetUtcNow() is var left && left > TimeSpan.Zero)
        {
            // The like of it was just told to come back later: it is not read again to find out the same.
            UsageOf(tenant).Demand.Add(last.Samples);
            throw TooFast(tenant, own, last.Samples, left);
        }

        if (own.RequestRate > 0 && !UsageOf(tenant).Requests.TryTake(1, Share(tenant, own.RequestRate), own.RequestBurstSize, out var wait))
        {
            throw WriteRefusal.TooFast(
                $"write request refused: tenant {tenant} exceeds its limit request_rate of {own.RequestRate} requests/s with a burst of {own.RequestBurstSize} (err-mimir-tenant-max-request-rate)", wait);
        }
    }

    /// <summary>Checks the size of a request.</summary>
    /// <exception cref="WriteRefusal">It is too large (413).</exception>
    public void AdmitSize(TenantId tenant, long bytes)
    {
        var own = limits.Of(tenant);
        if (own.RequestSize.Bytes > 0 && bytes > own.RequestSize.Bytes)
        {
            throw WriteRefusal.OverLimit($"write request refused: {bytes} bytes exceed the limit request_size of {own.RequestSize} of tenant {tenant}");
        }
    }

    /// <summary>Counts the samples of a request, once it was found sound and before any of it is stored: all of it is taken, or none.</summary>
    /// <param name="tenant">Whose.</param>
    /// <param name="samples">Samples of the request.</param>
    /// <param name="series">Its series.</param>
    /// <param name="bytes">Its size as sent; 0 when it is not one tenant's.</param>
    /// <exception cref="WriteRefusal">Too many samples or series for one request (413), or too many samples a second (429).</exception>
    public void AdmitSamples(TenantId tenant, long samples, long series, long bytes)
    {
        var own = limits.Of(tenant);
        if (own.RequestSeries > 0 && series > own.RequestSeries)
        {
            throw WriteRefusal.OverLimit($"write request refused: {series} series exceed the limit request_series of {own.RequestSeries} of tenant {tenant}");
        }

        if (own.RequestSamples > 0 && samples > own.RequestSamples)
        {
            throw WriteRefusal.OverLimit($"write request refused: {samples} samples exceed the limit request_samples of {own.RequestSamples} of tenant {tenant}");
        }

        if (own.IngestionRate <= 0 && own.RequestRate <= 0)
        {
            return;
        }

        UsageOf(tenant).Demand.Add(samples);
        if (own.IngestionRate > 0 && !UsageOf(tenant).Samples.TryTake(samples, Share(tenant, own.IngestionRate), own.IngestionBurstSize, out var wait))
        {
            UsageOf(tenant).LastTooFast = bytes > 0 ? new TooFastWrite(bytes, samples, own.IngestionRate, own.IngestionBurstSize, time.GetUtcNow() + wait) : null;
            throw TooFast(tenant, own, samples, wait);
        }
    }

    private double Share(TenantId tenant, double rate) => rate * share(tenant, UsageOf(tenant).Demand.PerSecond);

    private static WriteRefusal TooFast(TenantId tenant, TenantLimits own, long samples, TimeSpan wait) => WriteRefusal.TooFast(
        $"write request with {samples} samples refused: tenant {tenant} exceeds its limit ingestion_rate of {own.IngestionRate} samples/s with a burst of {own.IngestionBurstSize} (err-mimir-tenant-max-ingestion-rate)", wait);
}
