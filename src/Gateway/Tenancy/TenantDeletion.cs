using System.Collections.Concurrent;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Rules;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Gateway.Tenancy;

/// <summary>Deletion of all that there is of a tenant: Mimir's <c>/compactor/delete_tenant</c> and <c>delete_tenant_status</c>, also below <c>/api/v1/admin/tenants</c>.</summary>
/// <remarks>The request must name the tenant by itself. It is answered when the deletion is certain to go on to its end, also over a restart; the status tells when that is.</remarks>
internal sealed partial class TenantDeletion(ApiEndpoint endpoint, ICluster cluster, TenantResolver tenants, RulesHost rules, ILogger<TenantDeletion> logger)
{
    private readonly ConcurrentDictionary<TenantId, Task> running = new();

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Post, "/compactor/delete_tenant", "delete_tenant", endpoint.Of(DeleteAsync)),
        new(HttpRoute.Post, "/api/v1/admin/tenants/delete", "delete_tenant", endpoint.Of(DeleteAsync)),
        new(HttpRoute.Get, "/compactor/delete_tenant_status", "delete_tenant_status", endpoint.Of(StatusAsync)),
        new(HttpRoute.Get, "/api/v1/admin/tenants/delete_status", "delete_tenant_status", endpoint.Of(StatusAsync)),
    ];

    private async ValueTask<ApiAnswer> DeleteAsync(ApiRequest request)
    {
        CheckNamed(request);
        try
        {
            await cluster.MarkForDeletionAsync(request.Tenant, request.Aborted);
        }
        catch (NotSupportedException e)
        {
            throw new ApiException(ApiErrorType.Unavailable, e.Message, e);
        }

        _ = running.AddOrUpdate(request.Tenant, RunAsync, (tenant, known) => known.IsCompleted ? RunAsync(tenant) : known);
        return ApiAnswer.NoContent;
    }

    private async ValueTask<ApiAnswer> StatusAsync(ApiRequest request)
    {
        CheckNamed(request);
        var isGone = !(running.TryGetValue(request.Tenant, out var deletion) && !deletion.IsCompleted)
            && !await cluster.IsMarkedForDeletionAsync(request.Tenant, request.Aborted)
            && await cluster.FindTenantAsync(request.Tenant, request.Aborted) is null;
        return ApiAnswer.Text("application/json", $"{{\"tenant_id\":{JsonSerializer.Serialize(request.Tenant.Value)},\"blocks_deleted\":{(isGone ? "true" : "false")}}}");
    }

    private async Task RunAsync(TenantId tenant)
    {
        await Task.Yield();
        try
        {
            await rules.ForgetAsync(tenant, CancellationToken.None);
            await cluster.DeleteMarkedAsync(tenant, CancellationToken.None);
            LogDeleted(tenant.Value);
        }
        catch (Exception e) when (e is ObjectStoreException or ShardUnavailableException or IOException or UnauthorizedAccessException or Configuration.ConfigurationException or ObjectDisposedException)
        {
            LogFailed(tenant.Value, e.Message);
        }
    }

    // Who forgot the header would delete the default tenant.
    private void CheckNamed(ApiRequest request)
    {
        if (!tenants.IsNamed(request.Context))
        {
            throw new ApiException(ApiErrorType.BadData, "the request names no tenant: say which in X-Scope-OrgID");
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "tenant {Tenant} was deleted, with all its data")]
    private partial void LogDeleted(string tenant);

    [LoggerMessage(Level = LogLevel.Error, Message = "deletion of tenant {Tenant} stopped, it goes on when asked for again and at the next start: {Reason}")]
    private partial void LogFailed(string tenant, string reason);
}
