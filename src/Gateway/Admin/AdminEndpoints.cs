using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Server;
using Metrics.Model;

namespace Metrics.Gateway.Admin;

/// <summary>What changes or copies stored data: Prometheus's <c>admin/tsdb</c>, and Mimir's <c>/ingester/flush</c>.</summary>
internal sealed class AdminEndpoints(ApiEndpoint endpoint, ICluster cluster, bool enabled, ILogger<AdminEndpoints> log)
{
    private static readonly string[] PostPut = ["POST", "PUT"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(PostPut, "/api/v1/admin/tsdb/delete_series", "delete_series", endpoint.Of(DeleteSeriesAsync)),
        new(PostPut, "/api/v1/admin/tsdb/clean_tombstones", "clean_tombstones", endpoint.Of(CleanTombstonesAsync)),
        new(PostPut, "/api/v1/admin/tsdb/snapshot", "snapshot", endpoint.Of(SnapshotAsync)),
        new(HttpRoute.GetPost, "/ingester/flush", "flush", endpoint.Of(FlushAsync)),
    ];

    private async ValueTask<ApiAnswer> DeleteSeriesAsync(ApiRequest request)
    {
        CheckEnabled();
        if (request.Parameters.All("match[]").Count == 0)
        {
            throw new ApiException(ApiErrorType.BadData, "no match[] parameter provided");
        }

        var range = new TimeRange(request.Parameters.TimeMs("start", TimeText.MinTimeMs), request.Parameters.TimeMs("end", TimeText.MaxTimeMs));
        if (range.IsEmpty)
        {
            throw ApiException.InvalidParameter("end", "end timestamp must not be before start timestamp");
        }

        var query = new LabelQuery(LabelEndpoints.Selectors(request), range, 0);
        await ForEachShardAsync(await cluster.FindTenantAsync(request.Tenant, request.Aborted), shard => shard.DeleteAsync(query, request.Aborted), request.Aborted);
        return ApiAnswer.NoContent;
    }

    private async ValueTask<ApiAnswer> CleanTombstonesAsync(ApiRequest request)
    {
        CheckEnabled();
        await ForEachShardAsync(await cluster.FindTenantAsync(request.Tenant, request.Aborted), shard => shard.CleanDeletedAsync(request.Aborted), request.Aborted);
        return ApiAnswer.NoContent;
    }

    private async ValueTask<ApiAnswer> SnapshotAsync(ApiRequest request)
    {
        CheckEnabled();
        var skipHead = request.Parameters["skip_head"] switch
        {
            "" or "false" or "0" => false,
            "true" or "1" => true,
            var text => throw ApiException.InvalidParameter("skip_head", $"'{text}' is neither true nor false"),
        };
        if (await cluster.FindTenantAsync(request.Tenant, request.Aborted) is not { } tenant)
        {
            throw new ApiException(ApiErrorType.NotFound, $"there is no tenant {request.Tenant}");
        }

        var name = await tenant.SnapshotAsync(skipHead, request.Aborted);
        return ApiAnswer.Small(writer => JsonFields.Object(writer, [("name", name)]));
    }

    private async ValueTask<ApiAnswer> FlushAsync(ApiRequest request)
    {
        var tenants = new List<ITenant>();
        foreach (var text in request.Parameters.All("tenant"))
        {
            if (!TenantId.TryParse(text, out var id, out var error))
            {
                throw ApiException.InvalidParameter("tenant", error);
            }

            tenants.Add(await cluster.FindTenantAsync(id, request.Aborted) ?? throw new ApiException(ApiErrorType.NotFound, $"there is no tenant {id}"));
        }

        var flushing = tenants.Count > 0 ? FlushAsync(tenants, request) : cluster.FlushAsync(Lasting(request)).AsTask();
        if (request.Parameters["wait"] != "true")
        {
            _ = LogFailureAsync(flushing);
            return ApiAnswer.NoContent;
        }

        try
        {
            await flushing;
        }
        catch (IOException e)
        {
            throw new ApiException(ApiErrorType.Unavailable, e.Message, e);
        }

        return ApiAnswer.NoContent;
    }

    /// <summary>Who waits may go, and then it ends; what nobody waits for goes on.</summary>
    private static CancellationToken Lasting(ApiRequest request) => request.Parameters["wait"] == "true" ? request.Aborted : CancellationToken.None;

    private static async Task FlushAsync(List<ITenant> tenants, ApiRequest request)
    {
        foreach (var tenant in tenants)
        {
            await tenant.FlushAsync(Lasting(request));
        }
    }

    private async Task LogFailureAsync(Task flushing)
    {
        try
        {
            await flushing;
        }
        catch (Exception e) when (e is ShardUnavailableException or IOException or OperationCanceledException)
        {
            log.FlushFailed(e);
        }
    }

    private static async ValueTask ForEachShardAsync(ITenant? tenant, Func<IShard, ValueTask> act, CancellationToken cancellation)
    {
        if (tenant is not null)
        {
            await tenant.ForEachShardAsync(act, cancellation);
        }
    }

    private void CheckEnabled()
    {
        if (!enabled)
        {
            throw new ApiException(ApiErrorType.Unavailable, "admin APIs disabled");
        }
    }
}

/// <summary>What the admin endpoints say in the log.</summary>
internal static partial class AdminEndpointsLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "flushing heads to blocks failed; what they hold is safe in the log")]
    public static partial void FlushFailed(this ILogger<AdminEndpoints> log, Exception e);
}
