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
    /// <summary>Tenants whose shards are asked at once.</summary>
    private const int TenantsAtOnce = 8;

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
        var counts = await CountsAsync([.. request.Tenant.Members], request.Aborted);
        return await Json(json =>
        {
            json.WriteStartObject();
            Write(json, counts.Aggregate(static (a, b) => a + b), found.SelectMany(static f => f.Shards));
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

    /// <summary>Of every tenant that there is. Shards that are closed are not opened for it.</summary>
    private async ValueTask<ApiAnswer> AllStatsAsync(ApiRequest request)
    {
        var tenants = await cluster.ListTenantsAsync(request.Aborted);
        var counts = await CountsAsync(tenants, request.Aborted);
        var shards = new IReadOnlyList<ShardStatistics>[tenants.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = TenantsAtOnce, CancellationToken = request.Aborted };
        await Parallel.ForEachAsync(Enumerable.Range(0, tenants.Count), options, async (i, stop) =>
            shards[i] = await cluster.PeekTenantAsync(tenants[i], stop) is not { } tenant ? []
                : await tenant.AskAsync<IReadOnlyList<ShardStatistics>>(async of => await Task.WhenAll(of.Select(s => s.PeekStatisticsAsync(stop).AsTask())), stop));
        return await Json(json =>
        {
            json.WriteStartArray();
            for (var i = 0; i < tenants.Count; i++)
            {
                json.WriteStartObject();
                json.WriteString("userID", tenants[i].Value);
                Write(json, counts[i], shards[i]);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    /// <summary>What the tenants asked of all processes that take requests.</summary>
    private async ValueTask<TenantCounts[]> CountsAsync(IReadOnlyList<TenantId> tenants, CancellationToken cancellation)
    {
        try
        {
            var elsewhere = await cluster.CountsElsewhereAsync(tenants, cancellation);
            return [.. usage.CountsOf(tenants).Zip(elsewhere, static (here, there) => here + there)];
        }
        catch (IOException e)
        {
            throw new ApiException(ApiErrorType.Unavailable, e.Message, e);
        }
    }

    private static void Write(Utf8JsonWriter json, TenantCounts counts, IEnumerable<ShardStatistics> shards)
    {
        var (series, blocks, stored) = (0L, 0L, 0L);
        foreach (var now in shards)
        {
            series += now.HeadSeries;
            blocks += now.Blocks;
            stored += now.BlockBytes;
        }

        json.WriteNumber("ingestionRate", counts.IngestionRate);
        json.WriteNumber("numSeries", series);
        json.WriteNumber("numBlocks", blocks);
        json.WriteNumber("storedBytes", stored);
        json.WriteNumber("writtenSamples", counts.WrittenSamples);
        json.WriteNumber("refusedSamples", counts.RefusedSamples);
        json.WriteNumber("receivedBytes", counts.ReceivedBytes);
        json.WriteNumber("writes", counts.Writes);
        json.WriteNumber("queries", counts.Queries);
        json.WriteNumber("queriedSamples", counts.QueriedSamples);
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
