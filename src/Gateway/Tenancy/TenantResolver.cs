using System.Diagnostics.CodeAnalysis;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Security;
using Metrics.Model;

namespace Metrics.Gateway.Tenancy;

/// <summary>Finds out whose data a request is about, and whether the caller may: from its path and headers, else the caller's own tenant, else the default one. Thread-safe.</summary>
/// <remarks>
/// A read may name several tenants as <c>a|b</c>, or <see cref="Every"/> for all that the caller may read; it gets one joined id, which <see cref="ReadableCluster"/> knows. This is the one place that
/// grants access to a tenant. What it says of a tenant does not depend on whether the tenant exists.
/// </remarks>
internal sealed class TenantResolver
{
    /// <summary>Stands for all tenants that the caller may read; no tenant is called so, for names that start with two underscores are reserved.</summary>
    public const string Every = "__all__";

    /// <summary>Tenants that one read may name.</summary>
    private const int MaxNamed = 1000;

    private readonly ICluster cluster;
    private readonly string[] headers;
    private readonly TenantId defaultTenant;
    private readonly bool isRequired;
    private readonly TenantSet admitted;

    /// <summary>Makes a resolver from validated options.</summary>
    public TenantResolver(TenancyOptions options, ICluster cluster)
    {
        this.cluster = cluster;
        headers = options.Header.Length == 0 ? ["X-Scope-OrgID", "THANOS-TENANT"] : [options.Header, "X-Scope-OrgID", "THANOS-TENANT"];
        defaultTenant = TenantId.Parse(options.DefaultTenant);
        isRequired = options.Required;
        admitted = options.Admitted.Count == 0 ? TenantSet.All : TenantSet.Of(options.Admitted.Select(TenantId.Parse));
    }

    /// <summary>The tenant of a request that may name <see cref="Every"/>: for who may read all of them, the cluster is asked which there are.</summary>
    /// <exception cref="IOException">It can't tell.</exception>
    /// <exception cref="ShardUnavailableException">As above.</exception>
    public async ValueTask<ResolvedTenant> ResolveAsync(HttpContext context, CancellationToken cancellation)
    {
        var caller = Caller.Of(context);
        IReadOnlyList<TenantId> all = caller.Access == RouteAccess.Read && caller.Identity.TenantsFor(caller.Access).IsAll && TryFindName(context.Request.Headers, caller.PathTenant, out var name, out _) && name == Every
            ? await cluster.ListTenantsAsync(cancellation)
            : [];
        return TryResolve(context, all, out var tenant, out var status, out var error) ? new ResolvedTenant(tenant, StatusCodes.Status200OK, null) : new ResolvedTenant(default, status, error);
    }

    /// <summary>The one tenant of a request that may not name <see cref="Every"/>; on failure the status and what to say. A path and headers that name different tenants are an error, for guessing could show one's data to another.</summary>
    public bool TryResolve(HttpContext context, out TenantId tenant, out int status, [NotNullWhen(false)] out string? error) => TryResolve(context, [], out tenant, out status, out error);

    private bool TryResolve(HttpContext context, IReadOnlyList<TenantId> every, out TenantId tenant, out int status, [NotNullWhen(false)] out string? error)
    {
        var caller = Caller.Of(context);
        status = StatusCodes.Status400BadRequest;
        tenant = default;
        if (!TryFindName(context.Request.Headers, caller.PathTenant, out var name, out error))
        {
            return false;
        }

        var own = caller.Identity.TenantsFor(caller.Access);
        if (name is null)
        {
            if (own.Single is null && isRequired)
            {
                status = StatusCodes.Status401Unauthorized;
                error = "no org id";
                return false;
            }

            tenant = own.Single ?? defaultTenant;
            return TryAdmit(tenant, caller, out status, out error);
        }

        return caller.Access == RouteAccess.Read && (name == Every || name.Contains('|'))
            ? TryJoin(name, caller, own, every, out tenant, out status, out error)
            : TenantId.TryParse(name, out tenant, out error) && TryAdmit(tenant, caller, out status, out error);
    }

    /// <summary>True when the request itself names a tenant.</summary>
    public bool IsNamed(HttpContext context) => TryFindName(context.Request.Headers, Caller.Of(context).PathTenant, out var name, out _) && name is not null;

    /// <summary>Asks whether the caller may have to do with a tenant in this request.</summary>
    public bool TryAdmit(TenantId tenant, Caller caller, out int status, [NotNullWhen(false)] out string? error)
    {
        status = StatusCodes.Status403Forbidden;
        error = admitted.Contains(tenant) && (caller.Access == RouteAccess.Open || caller.Identity.TenantsFor(caller.Access).Contains(tenant)) ? null : $"tenant {tenant} is not allowed to access";
        return error is null;
    }

    private bool TryFindName(IHeaderDictionary request, string? found, out string? name, [NotNullWhen(false)] out string? error)
    {
        error = null;
        foreach (var header in headers)
        {
            foreach (var value in request[header])
            {
                if (string.IsNullOrEmpty(value) || value == found)
                {
                    continue;
                }

                if (found is not null)
                {
                    error = $"conflicting tenant headers: \"{found}\" and \"{value}\"";
                    name = null;
                    return false;
                }

                found = value;
            }
        }

        name = found;
        return true;
    }

    private bool TryJoin(string name, Caller caller, TenantSet own, IReadOnlyList<TenantId> every, out TenantId tenant, out int status, [NotNullWhen(false)] out string? error)
    {
        tenant = default;
        status = StatusCodes.Status400BadRequest;
        if (name == Every)
        {
            var all = (own.IsAll ? every : own.Members).Where(admitted.Contains).ToList();
            tenant = all.Count == 0 ? defaultTenant : TenantId.Join(all);
            return all.Count > 0 || TryAdmit(tenant, caller, out status, out error) ? Done(out error) : Failed(out error, "no tenant may be read");
        }

        var names = name.Split('|');
        if (names.Length > MaxNamed)
        {
            return Failed(out error, $"a read may name {MaxNamed} tenants, this one names {names.Length}");
        }

        var members = new TenantId[names.Length];
        for (var i = 0; i < names.Length; i++)
        {
            if (!TenantId.TryParse(names[i].Trim(), out members[i], out error))
            {
                return false;
            }

            if (!TryAdmit(members[i], caller, out status, out error))
            {
                return false;
            }
        }

        tenant = TenantId.Join(members);
        return Done(out error);
    }

    private static bool Done(out string? error)
    {
        error = null;
        return true;
    }

    private static bool Failed(out string? error, string message)
    {
        error = message;
        return false;
    }
}

/// <summary>What <see cref="TenantResolver.ResolveAsync"/> found.</summary>
/// <param name="Tenant">The tenant.</param>
/// <param name="Status">The status to refuse with, when there is an error.</param>
/// <param name="Error">Why there is no tenant, or null.</param>
internal readonly record struct ResolvedTenant(TenantId Tenant, int Status, string? Error);
