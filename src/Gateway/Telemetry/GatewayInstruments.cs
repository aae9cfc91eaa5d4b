using Metrics.Model;

namespace Metrics.Gateway.Telemetry;

/// <summary>What the gateway counts.</summary>
internal sealed class GatewayInstruments
{
    /// <summary>Tenants that are counted apart, those that come first; <see cref="TenantRanking"/> says which of them are shown.</summary>
    public const int MaxTenants = 100_000;

    private readonly CounterVector requests;
    private readonly HistogramVector durations;
    private readonly CounterVector samples;
    private readonly CounterVector rejected;
    private readonly CounterVector refusedRequests;
    private readonly Counter receivedBytes;
    private readonly Counter series;
    private readonly CounterVector blockedQueries;
    private readonly HistogramVector queries;
    private readonly CounterVector querySamples;

    /// <summary>Registers the families.</summary>
    public GatewayInstruments(MetricRegistry registry, TenantRanking ranking, Func<long> inflightBytes, Func<(int Running, int Waiting)> gate)
    {
        requests = registry.Add(new CounterVector("metrics_http_requests_total", "HTTP requests by handler and status code.", ["handler", "code"], 2000));
        durations = registry.Add(new HistogramVector("metrics_http_request_duration_seconds", "Time to answer HTTP requests, by handler.", "handler", HistogramVector.Seconds));
        samples = registry.Add(new CounterVector("metrics_write_samples_total", "Samples accepted, by tenant.", ["tenant"], MaxTenants, ranking));
        rejected = registry.Add(new CounterVector("metrics_write_rejected_samples_total", "Samples refused, by tenant and reason: why a sample can't be stored, or the limit for which its request was refused.", ["tenant", "reason"], MaxTenants, ranking));
        refusedRequests = registry.Add(new CounterVector("metrics_write_refused_requests_total", "Write requests refused whole for a limit of their tenant, by tenant and limit.", ["tenant", "limit"], MaxTenants, ranking));
        series = registry.Add(new Counter("metrics_write_series_total", "Series in accepted write requests, once per request."));
        receivedBytes = registry.Add(new Counter("metrics_write_received_bytes_total", "Bytes of write requests as sent."));
        blockedQueries = registry.Add(new CounterVector("metrics_queries_blocked_total", "Queries refused because of blocked_queries, by tenant.", ["tenant"], MaxTenants, ranking));
        queries = registry.Add(new HistogramVector("metrics_query_duration_seconds", "Time to evaluate queries without waiting, by kind.", "kind", HistogramVector.Seconds));
        querySamples = registry.Add(new CounterVector("metrics_query_samples_total", "Samples that queries looked at, by tenant.", ["tenant"], MaxTenants, ranking));
        registry.Add(new Observed("metrics_write_inflight_bytes", "gauge", "Memory held by writes in flight.", sink => sink.Put("", [], inflightBytes())));
        registry.Add(new Observed("metrics_queries_running", "gauge", "Queries being evaluated.", sink => sink.Put("", [], gate().Running)));
        registry.Add(new Observed("metrics_queries_waiting", "gauge", "Queries waiting for their turn.", sink => sink.Put("", [], gate().Waiting)));
    }

    /// <summary>A request was answered.</summary>
    public void OnAnswered(string handler, int code, TimeSpan took)
    {
        requests.Add(handler, CodeText(code), 1);
        durations.Observe(handler, took.TotalSeconds);
    }

    /// <summary>A write was stored, save what was refused.</summary>
    public void OnWritten(TenantId tenant, int seriesCount, long accepted, long bytes)
    {
        samples.Add(tenant.Value, "", accepted);
        series.Add(seriesCount);
        receivedBytes.Add(bytes);
    }

    /// <summary>Samples were refused.</summary>
    public void OnRejected(TenantId tenant, RejectReason reason, long count) => rejected.Add(tenant.Value, ReasonText(reason), count);

    /// <summary>A request was refused whole because of a limit of its tenant.</summary>
    public void OnRequestRefused(TenantId tenant, string limit, long samples)
    {
        refusedRequests.Add(tenant.Value, limit, 1);
        if (samples > 0)
        {
            rejected.Add(tenant.Value, limit, samples);
        }
    }

    /// <summary>A query was refused because it is blocked.</summary>
    public void OnQueryBlocked(TenantId tenant) => blockedQueries.Add(tenant.Value, "", 1);

    /// <summary>A query was evaluated.</summary>
    public void OnQueried(string kind, TimeSpan took) => queries.Observe(kind, took.TotalSeconds);

    /// <summary>A query of a tenant looked at samples.</summary>
    public void OnSamplesQueried(TenantId tenant, long count) => querySamples.Add(tenant.Value, "", count);

    private static string CodeText(int code) => code switch { 200 => "200", 204 => "204", 400 => "400", 422 => "422", 503 => "503", _ => code.ToString() };

    private static string ReasonText(RejectReason reason) => Configuration.Setting.SnakeCase(reason.ToString());
}
