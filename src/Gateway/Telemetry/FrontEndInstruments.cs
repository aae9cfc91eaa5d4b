using Metrics.Gateway.FrontEnd;

namespace Metrics.Gateway.Telemetry;

/// <summary>What the query front end counts.</summary>
internal sealed class FrontEndInstruments
{
    private readonly Counter steps;
    private readonly Counter cachedSteps;
    private readonly Counter shared;

    /// <summary>Registers the families; without a cache its own are zero.</summary>
    public FrontEndInstruments(MetricRegistry registry, ResultCache? cache)
    {
        steps = registry.Add(new Counter("metrics_query_steps_total", "Steps of range queries that could be answered in parts."));
        cachedSteps = registry.Add(new Counter("metrics_query_cached_steps_total", "Of those, the steps that the results cache answered."));
        shared = registry.Add(new Counter("metrics_query_shared_total", "Queries that joined an identical one in progress, to wait for its answer."));
        registry.Add(new Observed("metrics_results_cache_items", "gauge", "Cached parts of range queries.", sink => sink.Put("", [], cache?.Load.Items ?? 0)));
        registry.Add(new Observed("metrics_results_cache_bytes", "gauge", "Memory of the results cache.", sink => sink.Put("", [], cache?.Load.Bytes ?? 0)));
        registry.Add(new Observed("metrics_results_cache_evictions_total", "counter", "Cached parts that made room for others.", sink => sink.Put("", [], cache?.Load.Evictions ?? 0)));
    }

    /// <summary>A range query was looked up: so many of its steps are cached.</summary>
    public void OnPlanned(long cached, long all)
    {
        cachedSteps.Add(cached);
        steps.Add(all);
    }

    /// <summary>A query waits for the answer of an identical one.</summary>
    public void OnJoined() => shared.Add(1);
}
