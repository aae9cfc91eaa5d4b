using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Relabelling;

/// <summary>Rules that change the labels of series before they are stored. Single tenants have theirs in the overrides file.</summary>
public sealed class RelabellingOptions
{
    /// <summary>A YAML file with <c>metric_relabel_configs</c>, read again with the rest of the configuration.</summary>
    [Setting("YAML file with metric_relabel_configs of tenants that have none of their own.")]
    public string File { get; set; } = "";
}
