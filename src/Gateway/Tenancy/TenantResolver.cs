using System.Diagnostics.CodeAnalysis;
using Metrics.Gateway.Configuration;
using Metrics.Model;

namespace Metrics.Gateway.Tenancy;

/// <summary>Finds out whose data a request is about: from its headers, else the default tenant. Thread-safe.</summary>
internal sealed class TenantResolver
{
    private readonly string[] headers;
    private readonly TenantId defaultTenant;
    private readonly bool isRequired;

    /// <summary>Makes a resolver from validated options.</summary>
    public TenantResolver(TenancyOptions options)
    {
        headers = options.Header.Length == 0 ? ["X-Scope-OrgID", "THANOS-TENANT"] : [options.Header, "X-Scope-OrgID", "THANOS-TENANT"];
        defaultTenant = TenantId.Parse(options.DefaultTenant);
        isRequired = options.Required;
    }

    /// <summary>The tenant; on failure the status and what to say. Headers that name different tenants are an error, for guessing could show one's data to another.</summary>
    public bool TryResolve(IHeaderDictionary request, out TenantId tenant, out int status, [NotNullWhen(false)] out string? error)
    {
        string? found = null;
        tenant = defaultTenant;
        status = StatusCodes.Status400BadRequest;
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
                    return false;
                }

                found = value;
            }
        }

        if (found is null)
        {
            status = StatusCodes.Status401Unauthorized;
            error = isRequired ? "no org id" : null;
            return !isRequired;
        }

        return TenantId.TryParse(found, out tenant, out error);
    }
}
