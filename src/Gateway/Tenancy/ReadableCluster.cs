using Metrics.Cluster;
using Metrics.Gateway.Limits;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Gateway.Tenancy;

/// <summary>The cluster as readers see it: several tenants as one, each series with its tenant's name as a label; and nothing older than a tenant's limit.</summary>
/// <remarks>Endpoints that read are given this one, and know nothing of it. A joined id comes from <see cref="TenantResolver"/>, which has asked whether the caller may. Not the owner of the cluster.</remarks>
internal sealed class ReadableCluster(ICluster cluster, LimitsTable limits, string tenantLabel, TimeProvider time) : ICluster
{
    /// <inheritdoc/>
    public ReplayProgress Progress => cluster.Progress;

    /// <inheritdoc/>
    public IObjectStore? Objects => cluster.Objects;

    /// <inheritdoc/>
    public IReadOnlyList<ITenant> Tenants => cluster.Tenants;

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<TenantId>> ListTenantsAsync(CancellationToken cancellation) => cluster.ListTenantsAsync(cancellation);

    /// <inheritdoc/>
    public ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation) => cluster.OpenTenantAsync(tenant, cancellation);

    /// <inheritdoc/>
    public async ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (!tenant.IsJoined)
        {
            var lookback = limits.Of(tenant).MaxQueryLookback;
            return await cluster.FindTenantAsync(tenant, cancellation) is not { } found ? null
                : lookback > TimeSpan.Zero ? new TenantView(tenant, [found], null, NotBefore(lookback))
                : found;
        }

        var members = new List<ITenant>();
        foreach (var member in tenant.Members)
        {
            if (await cluster.FindTenantAsync(member, cancellation) is { } found)
            {
                members.Add(found);
            }
        }

        var strictest = limits.Of(tenant).MaxQueryLookback;
        return members.Count == 0 ? null : new TenantView(tenant, members, tenantLabel, strictest > TimeSpan.Zero ? NotBefore(strictest) : long.MinValue);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private long NotBefore(TimeSpan lookback) => time.GetUtcNow().ToUnixTimeMilliseconds() - (long)lookback.TotalMilliseconds;
}
