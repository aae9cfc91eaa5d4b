using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.HaDedup;
using Metrics.Model;

namespace Metrics.Gateway.Relabelling;

/// <summary>What is done to a tenant's writes before they are stored: which requests are left out, and how labels change. Thread-safe.</summary>
internal sealed class WriteRules
{
    private readonly HaDedupOptions ha;
    private readonly RelabellingOptions relabelling;
    private readonly ReplicaLabels? replicas;
    private Table table = new(null, new Dictionary<TenantId, SeriesRewrite?>());

    /// <summary>Reads the relabelling file, if there is one.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public WriteRules(HaDedupOptions ha, RelabellingOptions relabelling, ReplicaElections elections)
    {
        this.ha = ha;
        this.relabelling = relabelling;
        Elections = elections;
        replicas = ha.AcceptHaSamples ? new ReplicaLabels(ha.HaClusterLabel, ha.HaReplicaLabel) : null;
        Reload();
    }

    /// <summary>Which replicas are listened to.</summary>
    public ReplicaElections Elections { get; }

    /// <summary>What changes the labels of a tenant's series; null when nothing does.</summary>
    public ISeriesRewrite? RewriteOf(TenantId tenant)
    {
        var now = Volatile.Read(ref table);
        return now.Tenants.TryGetValue(tenant, out var own) ? own : now.General;
    }

    /// <summary>What may leave out a request of a tenant as a whole; null when nothing may.</summary>
    public ISeriesGate? GateOf(TenantId tenant) => replicas is null ? null : new ReplicaGate(Elections, tenant, replicas, ha.HaMaxClusters);

    /// <summary>Reads the relabelling file again; what was in force stays when it is not in order.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public void Reload()
    {
        var file = relabelling.File.Length > 0 ? RelabelFile.Read(relabelling.File) : RelabelFile.Empty;
        var tenants = file.Tenants.ToDictionary(t => t.Key, t => SeriesRewrite.Of(replicas, t.Value));
        Volatile.Write(ref table, new Table(SeriesRewrite.Of(replicas, file.General), tenants));
    }

    private sealed record Table(SeriesRewrite? General, IReadOnlyDictionary<TenantId, SeriesRewrite?> Tenants);
}
