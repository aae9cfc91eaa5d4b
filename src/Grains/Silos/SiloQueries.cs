using Metrics.Cluster;

namespace Metrics.Grains;

/// <summary>The queries that wait at this silo's gateway, for the other silos' gateways to show and stop. Thread-safe.</summary>
internal sealed class SiloQueries
{
    private volatile IListedQueries? served;

    /// <summary>The queries; null while this silo takes no requests.</summary>
    public IListedQueries? Served
    {
        get => served;
        set => served = value;
    }
}
