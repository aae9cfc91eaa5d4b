using Metrics.PromQL;

namespace Metrics.Gateway.Telemetry;

/// <summary>What queries hold.</summary>
internal static class QueryInstruments
{
    /// <summary>Registers the families.</summary>
    public static void Register(MetricRegistry registry, QueryMemory memory)
    {
        registry.Add(new Observed("metrics_query_inflight_bytes", "gauge", "Memory held by queries that run and answers that are written, as it is estimated.", sink => sink.Put("", [], memory.Held)));
        registry.Add(new Observed("metrics_query_inflight_max_bytes", "gauge", "What queries may hold together (query.max_inflight_bytes).", sink => sink.Put("", [], memory.Max)));
        registry.Add(new Observed("metrics_queries_out_of_memory_total", "counter", "Queries turned away because queries held all that they may (query.max_inflight_bytes).", sink => sink.Put("", [], memory.Refused)));
    }
}
