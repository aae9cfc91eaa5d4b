using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Relabelling;

/// <summary>Rules that change the labels of series before they are stored.</summary>
public sealed class RelabellingOptions
{
    /// <summary>A YAML file with <c>metric_relabel_configs</c> for all tenants, and under <c>overrides</c> for single ones.</summary>
    [Setting("YAML file with metric_relabel_configs, for all tenants and single ones.")]
    public string File { get; set; } = "";
}
