namespace Metrics.Gateway.Configuration;

/// <summary>Whose data a request is about.</summary>
public sealed class TenancyOptions
{
    /// <summary>The tenant of a request that names none, so that one Prometheus and one Grafana work without any header.</summary>
    [Setting("Tenant of a request that names none.")]
    public string DefaultTenant { get; set; } = "default";

    /// <summary>A header that names the tenant, besides X-Scope-OrgID (Mimir, Cortex) and THANOS-TENANT, which always do.</summary>
    [Setting("One more header that names the tenant, beside X-Scope-OrgID and THANOS-TENANT.")]
    public string Header { get; set; } = "";

    /// <summary>Refuses a request that names no tenant with 401, as Mimir does with multitenancy on. Off: such a request is the default tenant's.</summary>
    [Setting("Refuse a request that names no tenant (401).")]
    public bool Required { get; set; }

    /// <summary>Takes the tenant from the path too: <c>/TENANT/api/v1/...</c>. Off, since then a first part of a path that is misspelt is a tenant.</summary>
    [Setting("Take the tenant from the path too: /TENANT/api/v1/...")]
    public bool FromPath { get; set; }

    /// <summary>A label of written series that names their tenant and is removed (<c>receive.split-tenant-label-name</c>): one request then writes to many tenants. Empty: no.</summary>
    [Setting("Label of written series that names their tenant and is removed from them; empty for none.")]
    public string LabelName { get; set; } = "";

    /// <summary>The only tenants there may be; a request for another is 403. Empty: any.</summary>
    [Setting("The only tenants that are served, others are refused (403); empty for any.")]
    public IReadOnlyList<string> Admitted { get; set; } = [];

    /// <summary>The label that tells tenants apart in reads of several (<c>a|b</c>); Mimir's.</summary>
    [Setting("Label with the tenant's name on every series of a read that crosses tenants.")]
    public string UnionLabel { get; set; } = "__tenant_id__";

    /// <summary>A file with what single tenants have otherwise than the rest: <c>overrides: {TENANT: {out_of_order_window, retention, retention_five_minutes, retention_one_hour, retention_size}}</c>.</summary>
    [Setting("File with what single tenants have otherwise: out-of-order window and retention.")]
    public string OverridesFile { get; set; } = "";
}
