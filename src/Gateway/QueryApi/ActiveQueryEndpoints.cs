using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>status/active_queries</c>: a tenant's queries that are waited for, in all processes that take requests, and an end to one of them.</summary>
internal sealed class ActiveQueryEndpoints(ApiEndpoint endpoint, ActiveQueries active, ICluster cluster)
{
    private const string Path = "/api/v1/status/active_queries";
    private static readonly string[] delete = ["DELETE"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Get, Path, "status_active_queries", endpoint.Of(ListAsync, needsData: false)) { Access = RouteAccess.Read },
        new(delete, Path + "/{*rest}", "status_active_queries_stop", endpoint.Of(StopAsync, needsData: false)) { Access = RouteAccess.Read },
    ];

    private async ValueTask<ApiAnswer> ListAsync(ApiRequest request)
    {
        var elsewhere = await cluster.QueriesElsewhereAsync(request.Tenant, request.Aborted);

        // The oldest first, as far as the age that each process tells has it.
        var queries = active.Of(request.Tenant).Concat(elsewhere.Queries).OrderByDescending(static q => q.Age).ToList();
        return ApiAnswer.Small(
            to =>
            {
                JsonFields.Raw(to, "{\"activeQueries\":["u8);
                for (var i = 0; i < queries.Count; i++)
                {
                    Write(to, queries[i], isFirst: i == 0);
                }

                JsonFields.Raw(to, "]}"u8);
            },
            [.. elsewhere.Missing.Select(static m => m + ": its queries are missing")]);
    }

    private static void Write(PipeWriter to, ListedQuery query, bool isFirst)
    {
        JsonFields.Raw(to, isFirst ? "{\"id\":"u8 : ",{\"id\":"u8);
        JsonFields.String(to, query.Id);
        JsonFields.Raw(to, ",\"query\":"u8);
        JsonFields.String(to, query.Text);
        JsonFields.Raw(to, query.IsRunning ? ",\"state\":\"running\""u8 : ",\"state\":\"waiting\""u8);
        Encoding.UTF8.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $",\"start\":{query.Range.MinMs / 1000m:0.###},\"end\":{query.Range.MaxMs / 1000m:0.###},\"step\":{query.StepMs / 1000m:0.###},\"durationSeconds\":{query.Age.TotalSeconds:0.###}}}"),
            to);
    }

    private async ValueTask<ApiAnswer> StopAsync(ApiRequest request)
    {
        var id = (string)request.Context.Items[RequestPipeline.PathSegment]!;
        try
        {
            var isStopped = active.Cancel(request.Tenant, id) || (ActiveQueries.ProcessOf(id) is { Length: > 0 } process && await cluster.StopElsewhereAsync(request.Tenant, process, id, request.Aborted));
            return isStopped ? ApiAnswer.NoContent : throw new ApiException(ApiErrorType.NotFound, "no such query is active");
        }
        catch (IOException e)
        {
            throw new ApiException(ApiErrorType.Unavailable, e.Message, e);
        }
    }
}
