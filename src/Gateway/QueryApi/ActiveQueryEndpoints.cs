using System.Globalization;
using System.Text;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>status/active_queries</c>: a tenant's queries that are waited for, and an end to one of them.</summary>
internal sealed class ActiveQueryEndpoints(ApiEndpoint endpoint, ActiveQueries active, TimeProvider time)
{
    private const string Path = "/api/v1/status/active_queries";
    private static readonly string[] delete = ["DELETE"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Get, Path, "status_active_queries", endpoint.Of(ListAsync, needsData: false)) { Access = RouteAccess.Read },
        new(delete, Path + "/{*rest}", "status_active_queries_stop", endpoint.Of(StopAsync, needsData: false)) { Access = RouteAccess.Read },
    ];

    private ValueTask<ApiAnswer> ListAsync(ApiRequest request)
    {
        var queries = active.Of(request.Tenant);
        var now = time.GetUtcNow();
        return ValueTask.FromResult(ApiAnswer.Small(to =>
        {
            JsonFields.Raw(to, "{\"activeQueries\":["u8);
            for (var i = 0; i < queries.Count; i++)
            {
                var query = queries[i];
                JsonFields.Raw(to, i == 0 ? "{\"id\":"u8 : ",{\"id\":"u8);
                JsonFields.String(to, query.Id.ToString(CultureInfo.InvariantCulture));
                JsonFields.Raw(to, ",\"query\":"u8);
                JsonFields.String(to, query.Query.Query);
                JsonFields.Raw(to, query.IsRunning ? ",\"state\":\"running\""u8 : ",\"state\":\"waiting\""u8);
                Encoding.UTF8.GetBytes(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $",\"start\":{query.Query.Grid.StartMs / 1000m:0.###},\"end\":{query.Query.Grid.EndMs / 1000m:0.###},\"step\":{query.Query.Grid.StepMs / 1000m:0.###},\"durationSeconds\":{Math.Max(0, (now - query.StartedAt).TotalSeconds):0.###}}}"),
                    to);
            }

            JsonFields.Raw(to, "]}"u8);
        }));
    }

    private ValueTask<ApiAnswer> StopAsync(ApiRequest request)
    {
        var id = (string)request.Context.Items[RequestPipeline.PathSegment]!;
        return long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && active.Cancel(request.Tenant, number)
            ? ValueTask.FromResult(ApiAnswer.NoContent)
            : throw new ApiException(ApiErrorType.NotFound, "no such query is active");
    }
}
