using Metrics.Model;

namespace Metrics.Gateway.Telemetry;

/// <summary>What is left out of writes on purpose.</summary>
internal sealed class WriteRuleInstruments
{
    private readonly CounterVector requests;
    private readonly CounterVector samples;

    /// <summary>Registers the families.</summary>
    public WriteRuleInstruments(MetricRegistry registry, TenantRanking ranking, Func<long> failovers, Func<IEnumerable<(TenantId Tenant, long Replaced)>> replaced)
    {
        requests = registry.Add(new CounterVector("metrics_ha_deduplicated_requests_total", "Write requests of replicas that are not elected, by tenant.", ["tenant"], GatewayInstruments.MaxTenants, ranking));
        samples = registry.Add(new CounterVector("metrics_write_relabelled_away_samples_total", "Samples of series that relabelling leaves out, by tenant.", ["tenant"], GatewayInstruments.MaxTenants, ranking));
        registry.Add(new Observed("metrics_ha_failovers_total", "counter", "Elections of another replica than before.", sink => sink.Put("", [], failovers())));
        registry.Add(new Observed("metrics_write_label_values_replaced_total", "counter", "Label values of new series replaced because of max_values_per_label, by tenant.", sink =>
        {
            foreach (var (tenant, values) in replaced().OrderBy(static r => r.Tenant).Take(TenantRanking.ListedMax))
            {
                sink.Put("", [("tenant", tenant.Value)], values);
            }
        }));
    }

    /// <summary>A request was left out as a whole.</summary>
    public void OnShut(TenantId tenant) => requests.Add(tenant.Value, "", 1);

    /// <summary>Samples were left out.</summary>
    public void OnLeftOut(TenantId tenant, int count) => samples.Add(tenant.Value, "", count);
}
