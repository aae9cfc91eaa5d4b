namespace Metrics.Gateway.Security;

/// <summary>Who calls, and what they may.</summary>
/// <param name="Name">For logs.</param>
/// <param name="Read">Tenants whose data they may read.</param>
/// <param name="Write">Tenants that they may write to.</param>
/// <param name="IsAdmin">Whether they may run the server: reload, deletion, flush, snapshots, configuration, figures over all tenants.</param>
internal sealed record Identity(string Name, TenantSet Read, TenantSet Write, bool IsAdmin)
{
    /// <summary>Whoever calls while nobody is asked who they are.</summary>
    public static Identity Anyone { get; } = new("anyone", TenantSet.All, TenantSet.All, IsAdmin: true);

    /// <summary>The tenants for a way of access.</summary>
    public TenantSet TenantsFor(RouteAccess access) => access switch
    {
        RouteAccess.Write => Write,
        RouteAccess.Admin => IsAdmin ? TenantSet.All : TenantSet.None,
        _ => Read,
    };

    /// <summary>True when they may call such a route at all.</summary>
    public bool May(RouteAccess access) => access == RouteAccess.Open || !TenantsFor(access).IsEmpty;
}
