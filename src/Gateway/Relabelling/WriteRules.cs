using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.HaDedup;
using Metrics.Gateway.Limits;
using Metrics.Model;

namespace Metrics.Gateway.Relabelling;

/// <summary>What is done to a tenant's writes before they are stored: which requests are left out, and how labels change. Thread-safe.</summary>
internal sealed class WriteRules
{
    private readonly LimitsTable limits;
    private readonly RelabellingOptions options;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<TenantId, LabelValueCap> caps = new();
    private readonly ConcurrentDictionary<TenantId, TenantRules> tenants = new();
    private RelabelList general = RelabelList.Empty;

    /// <summary>Reads the relabelling file, if there is one.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public WriteRules(LimitsTable limits, RelabellingOptions options, ReplicaElections elections, TimeProvider time)
    {
        this.time = time;
        this.limits = limits;
        this.options = options;
        Elections = elections;
        Reload();
    }

    /// <summary>Which replicas are listened to.</summary>
    public ReplicaElections Elections { get; }

    /// <summary>What changes the labels of a tenant's series; null when nothing does.</summary>
    public ISeriesRewrite? RewriteOf(TenantId tenant) => RulesOf(tenant).Rewrite;

    /// <summary>What bounds the values of a tenant's labels; null when nothing does.</summary>
    public LabelValueCap? CapOf(TenantId tenant) => limits.Of(tenant).MaxValuesPerLabel is var most && most == 0 ? null
        : caps.AddOrUpdate(tenant, static (_, make) => new LabelValueCap(make.most, make.time), static (_, known, make) => known.Most == make.most ? known : new LabelValueCap(make.most, make.time), (most, time));

    /// <summary>Label values that were replaced so far, by tenant.</summary>
    public IEnumerable<(TenantId Tenant, long Replaced)> Replaced => caps.Select(static c => (c.Key, c.Value.Replaced));

    /// <summary>What may leave out a request of a tenant as a whole; null when nothing may.</summary>
    public ISeriesGate? GateOf(TenantId tenant)
    {
        var rules = RulesOf(tenant);
        return rules.Replicas is null ? null : new ReplicaGate(Elections, tenant, rules.Replicas, rules.Limits.HaMaxClusters);
    }

    /// <summary>Reads the relabelling file again; what was in force stays when it is not in order.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public void Reload()
    {
        if (options.File.Length > 0)
        {
            Volatile.Write(ref general, RelabelFile.Read(options.File));
        }
    }

    private TenantRules RulesOf(TenantId tenant)
    {
        var bounds = limits.Of(tenant);
        var now = Volatile.Read(ref general);
        if (tenants.TryGetValue(tenant, out var known) && ReferenceEquals(known.Limits, bounds) && ReferenceEquals(known.General, now))
        {
            return known;
        }

        var replicas = bounds.AcceptHaSamples ? new ReplicaLabels(bounds.HaClusterLabel, bounds.HaReplicaLabel) : null;
        return tenants[tenant] = new TenantRules(bounds, now, replicas, SeriesRewrite.Of(replicas, bounds.MetricRelabelConfigs ?? now, CapOf(tenant)));
    }

    /// <summary>What follows from a tenant's limits and the general rules, worked out once.</summary>
    private sealed record TenantRules(TenantLimits Limits, RelabelList General, ReplicaLabels? Replicas, SeriesRewrite? Rewrite);
}
