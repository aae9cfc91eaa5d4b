using System.Collections.Frozen;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;

namespace Metrics.Gateway.Limits;

/// <summary>The limits in force, by tenant. Thread-safe; a reload takes the place of all of them at once.</summary>
internal sealed class LimitsTable
{
    private readonly GatewayOptions options;
    private FrozenDictionary<TenantId, TenantLimits> tenants = FrozenDictionary<TenantId, TenantLimits>.Empty;

    /// <summary>Reads the overrides file, if there is one.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public LimitsTable(GatewayOptions options)
    {
        this.options = options;
        Reload();
    }

    /// <summary>The tenants that have limits of their own.</summary>
    public IReadOnlyCollection<TenantId> Overridden => Volatile.Read(ref tenants).Keys;

    /// <summary>The limits of a tenant; of several in a cross-tenant read, the strictest of each.</summary>
    public TenantLimits Of(TenantId tenant)
    {
        var now = Volatile.Read(ref tenants);
        if (!tenant.IsJoined)
        {
            return now.GetValueOrDefault(tenant, options.Limits);
        }

        var strictest = options.Limits;
        foreach (var member in tenant.Members)
        {
            strictest = now.TryGetValue(member, out var own) ? StrictestLimits.Of(strictest, own) : strictest;
        }

        return strictest;
    }

    /// <summary>The bounds on a tenant's series.</summary>
    public SeriesLimits SeriesOf(TenantId tenant) => Of(tenant).Series;

    /// <summary>Reads the overrides file again; what was in force stays when it is not in order.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public void Reload()
    {
        if (options.Tenancy.OverridesFile is { Length: > 0 } path)
        {
            Volatile.Write(ref tenants, TenantOverrides.Read(path, new RetentionOptions(), options.Limits).ToFrozenDictionary(t => t.Key, t => t.Value.Limits));
        }
    }
}
