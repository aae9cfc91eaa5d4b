using System.Collections.Frozen;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;

namespace Metrics.Gateway.Limits;

/// <summary>The limits in force, by tenant. Thread-safe; a reload takes the place of all of them at once.</summary>
internal sealed class LimitsTable
{
    private readonly GatewayOptions options;
    private readonly ConfigurationSource? source;
    private FrozenDictionary<TenantId, TenantLimits> tenants = FrozenDictionary<TenantId, TenantLimits>.Empty;

    /// <summary>Reads the overrides file, if there is one.</summary>
    /// <param name="options">The settings; those of the section <c>limits</c> are put in place here when they are read again.</param>
    /// <param name="source">Where the settings came from; null when they don't change.</param>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public LimitsTable(GatewayOptions options, ConfigurationSource? source = null)
    {
        this.options = options;
        this.source = source;
        ReadOverrides(options.Limits);
    }

    /// <summary>The files that limits come from.</summary>
    public IReadOnlyList<string> Files => [.. new[] { source?.File, options.Tenancy.OverridesFile }.OfType<string>().Where(static f => f.Length > 0)];

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

        TenantLimits? strictest = null;
        foreach (var member in tenant.Members)
        {
            var own = now.GetValueOrDefault(member, options.Limits);
            strictest = strictest is null || ReferenceEquals(strictest, own) ? own : StrictestLimits.Of(strictest, own);
        }

        return strictest ?? options.Limits;
    }

    /// <summary>The bounds on a tenant's series.</summary>
    public SeriesLimits SeriesOf(TenantId tenant) => Of(tenant).Series;

    /// <summary>Reads the files again; what was in force stays when one is not in order.</summary>
    /// <exception cref="ConfigurationException">A file is not in order.</exception>
    public void Reload()
    {
        var general = source is { File: not null } ? source.Read().Limits : options.Limits;
        ReadOverrides(general);
        options.Limits = general;
    }

    private void ReadOverrides(TenantLimits general)
    {
        if (options.Tenancy.OverridesFile is { Length: > 0 } path)
        {
            Volatile.Write(ref tenants, TenantOverrides.Read(path, new RetentionOptions(), general).ToFrozenDictionary(t => t.Key, t => t.Value.Limits));
        }
    }
}
