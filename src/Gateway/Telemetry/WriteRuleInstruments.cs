using Metrics.Model;

namespace Metrics.Gateway.Telemetry;

/// <summary>What is left out of writes on purpose.</summary>
internal sealed class WriteRuleInstruments
{
    private readonly CounterVector requests;
    private readonly CounterVector samples;

    /// <summary>Registers the families.</summary>
    public WriteRuleInstruments(MetricRegistry registry, TenantRanking ranking, Func<long> failovers)
    {
        requests = registry.Add(new CounterVector("metrics_ha_deduplicated_requests_total", "Write requests of replicas that are not elected, by tenant.", ["tenant"], GatewayInstruments.MaxTenants, ranking));
        samples = registry.Add(new CounterVector("metrics_write_relabelled_away_samples_total", "Samples of series that relabelling leaves out, by tenant.", ["tenant"], GatewayInstruments.MaxTenants, ranking));
        registry.Add(new Observed("metrics_ha_failovers_total", "counter", "Elections of another replica than before.", sink => sink.Put("", [], failovers())));
    }

    /// <summary>A request was left out as a whole.</summary>
    public void OnShut(TenantId tenant) => requests.Add(tenant.Value, "", 1);

    /// <summary>Samples were left out.</summary>
    public void OnLeftOut(TenantId tenant, int count) => samples.Add(tenant.Value, "", count);
}
