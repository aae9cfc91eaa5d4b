using System.Text;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;

namespace Metrics.Gateway.Limits;

/// <summary>What a tenant may use and what it uses: Mimir's <c>user_limits</c>, <c>user_stats</c> and, for administrators, <c>all_user_stats</c>; and <c>user_lag</c>, how old its newest sample is.</summary>
internal sealed class UsageEndpoints(ApiEndpoint endpoint, ICluster cluster, IngestLimits usage, TimeProvider time)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Get, "/api/v1/user_limits", "user_limits", endpoint.Of(LimitsAsync, needsData: false)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/user_stats", "user_stats", endpoint.Of(StatsAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/user_lag", "user_lag", endpoint.Of(LagAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/distributor/all_user_stats", "all_user_stats", endpoint.Of(AllStatsAsync)),
    ];

    private ValueTask<ApiAnswer> LimitsAsync(ApiRequest request)
    {
        var own = usage.Limits.Of(request.Tenant);
        return Json(json =>
        {
            json.WriteStartObject();
            foreach (var setting in SettingCatalog.In("limits"))
            {
                switch (setting.ValueIn(own))
                {
                    case TimeSpan duration: json.WriteString(setting.Name, DurationText.Format(duration)); break;
                    case ByteSize size: json.WriteNumber(setting.Name, size.Bytes); break;
                    case long number: json.WriteNumber(setting.Name, number); break;
                    case int number: json.WriteNumber(setting.Name, number); break;
                    case bool flag: json.WriteBoolean(setting.Name, flag); break;
                    default: json.WriteString(setting.Name, setting.ShowIn(own)); break;
                }
            }

            json.WriteEndObject();
        });
    }

    private async ValueTask<ApiAnswer> StatsAsync(ApiRequest request)
    {
        var found = await AskAsync(request);
        return await Json(json =>
        {
            json.WriteStartObject();
            Write(json, found);
            json.WriteEndObject();
        });
    }

    /// <summary>For each tenant of the request; one without samples has no time and no lag.</summary>
    private async ValueTask<ApiAnswer> LagAsync(ApiRequest request)
    {
        var found = await AskAsync(request);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return await Json(json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("tenants");
            foreach (var (id, shards) in found)
            {
                json.WriteStartObject();
                json.WriteString("userID", id.Value);
                if (shards.Max(static s => (long?)s.NewestSampleMs) is > 0 and var newest)
                {
                    json.WriteNumber("newestSampleTimestamp", newest / 1000m);
                    json.WriteNumber("lagSeconds", (now - newest) / 1000m);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private async Task<List<(TenantId Id, IReadOnlyList<ShardStatistics> Shards)>> AskAsync(ApiRequest request)
    {
        var found = new List<(TenantId, IReadOnlyList<ShardStatistics>)>();
        foreach (var tenant in request.Tenant.Members)
        {
            found.Add((tenant, await cluster.AskAsync<IReadOnlyList<ShardStatistics>>(tenant, async shards => await Task.WhenAll(shards.Select(s => s.StatisticsAsync(request.Aborted).AsTask())), request.Aborted)));
        }

        return found;
    }

    private ValueTask<ApiAnswer> AllStatsAsync(ApiRequest request) => Json(json =>
    {
        json.WriteStartArray();
        foreach (var tenant in cluster.Tenants.OrderBy(static t => t.Id))
        {
            json.WriteStartObject();
            json.WriteString("userID", tenant.Id.Value);
            Write(json, [(tenant.Id, [.. tenant.Shards.Select(static s => s.Statistics)])]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private void Write(Utf8JsonWriter json, IReadOnlyList<(TenantId Id, IReadOnlyList<ShardStatistics> Shards)> tenants)
    {
        var (rate, series, samples, refused, bytes, writes, queries, queried, blocks, stored) = (0.0, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L);
        foreach (var (id, shards) in tenants)
        {
            var used = usage.UsageOf(id);
            rate += used.WriteRate.PerSecond;
            samples += used.StoredSamples;
            refused += used.RefusedSamples;
            bytes += used.ReceivedBytes;
            writes += used.Writes;
            queries += used.Queries;
            queried += used.QueriedSamples;
            foreach (var now in shards)
            {
                series += now.HeadSeries;
                blocks += now.Blocks;
                stored += now.BlockBytes;
            }
        }

        json.WriteNumber("ingestionRate", rate);
        json.WriteNumber("numSeries", series);
        json.WriteNumber("numBlocks", blocks);
        json.WriteNumber("storedBytes", stored);
        json.WriteNumber("writtenSamples", samples);
        json.WriteNumber("refusedSamples", refused);
        json.WriteNumber("receivedBytes", bytes);
        json.WriteNumber("writes", writes);
        json.WriteNumber("queries", queries);
        json.WriteNumber("queriedSamples", queried);
    }

    private static ValueTask<ApiAnswer> Json(Action<Utf8JsonWriter> write)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            write(json);
        }

        return ValueTask.FromResult(ApiAnswer.Text("application/json", Encoding.UTF8.GetString(text.ToArray())));
    }
}
