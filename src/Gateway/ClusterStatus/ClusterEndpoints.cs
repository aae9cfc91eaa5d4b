using System.Buffers;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Server;
using Metrics.Model;

namespace Metrics.Gateway.ClusterStatus;

/// <summary>What the cluster looks like, and hands on it. The single process answers too: one silo without shards to move.</summary>
internal sealed class ClusterEndpoints(ApiEndpoint endpoint, ICluster cluster, bool enabled)
{
    /// <summary>Maps of tenants read at once.</summary>
    private const int TenantsAtOnce = 16;

    private static readonly string[] PostPut = ["POST", "PUT"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Get, "/api/v1/status/cluster", "status_cluster", endpoint.Of(ShowAsync, needsData: false)),
        new(PostPut, "/api/v1/admin/cluster/move", "cluster_move", endpoint.Of(MoveAsync)),
        new(PostPut, "/api/v1/admin/cluster/drain", "cluster_drain", endpoint.Of(DrainAsync)),
        new(PostPut, "/api/v1/admin/cluster/split", "cluster_split", endpoint.Of(request => ReshardAsync(request, cluster.SplitAsync))),
        new(PostPut, "/api/v1/admin/cluster/merge", "cluster_merge", endpoint.Of(request => ReshardAsync(request, cluster.MergeAsync))),
    ];

    /// <summary>The silos, and the shards of the caller's tenant; those of all tenants where operators are let in and ask for them.</summary>
    private async ValueTask<ApiAnswer> ShowAsync(ApiRequest request)
    {
        TenantId? only = request.Tenant;
        if (request.Parameters["tenants"] == "all")
        {
            CheckEnabled();
            only = null;
        }

        IReadOnlyList<ShardId> mapped = [];
        string[] warnings = [];
        try
        {
            mapped = cluster.Control is null ? [] : await MappedAsync(only, request.Aborted);
        }
        catch (Exception e) when (e is IOException or ShardUnavailableException or InvalidDataException)
        {
            warnings = [$"shards that are open nowhere are not shown: {e.Message}"];
        }

        return ApiAnswer.Small(to => Write(to, cluster.Control?.Silos ?? [], mapped, cluster.ShardChanges, only), warnings);
    }

    /// <summary>The shards that there are by the tenants' maps, whoever has them.</summary>
    private async ValueTask<IReadOnlyList<ShardId>> MappedAsync(TenantId? only, CancellationToken cancellation)
    {
        var tenants = only is { } one ? [one] : await cluster.ListTenantsAsync(cancellation);
        var shards = new IReadOnlyList<ShardId>[tenants.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = TenantsAtOnce, CancellationToken = cancellation };
        await Parallel.ForEachAsync(Enumerable.Range(0, tenants.Count), options, async (i, stop) => shards[i] = [.. (await cluster.PeekTenantAsync(tenants[i], stop))?.Shards.Select(static s => s.Id) ?? []]);
        return [.. shards.SelectMany(static s => s)];
    }

    private static void Write(IBufferWriter<byte> to, IReadOnlyList<ClusterSilo> silos, IReadOnlyList<ShardId> mapped, IReadOnlyList<ShardChangeStatus> changes, TenantId? only)
    {
        using var json = new Utf8JsonWriter(to);
        json.WriteStartObject();
        json.WriteStartArray("silos");
        foreach (var silo in silos)
        {
            Write(json, silo);
        }

        json.WriteEndArray();
        json.WriteStartArray("shards");
        var open = new HashSet<(string, string)>();
        foreach (var silo in silos)
        {
            foreach (var shard in silo.Report?.Shards ?? [])
            {
                if (only is null || shard.Tenant == only.Value.Value)
                {
                    Write(json, silo, shard);
                    open.Add((shard.Tenant, shard.Range));
                }
            }
        }

        foreach (var shard in mapped)
        {
            if (!open.Contains((shard.Tenant.Value, shard.Range.ToString())))
            {
                WriteClosed(json, shard);
            }
        }

        json.WriteEndArray();
        json.WriteStartArray("moves");
        foreach (var silo in silos)
        {
            foreach (var move in silo.Report?.Moves ?? [])
            {
                if (only is null || move.Tenant == only.Value.Value)
                {
                    Write(json, silo, move);
                }
            }
        }

        json.WriteEndArray();
        json.WriteStartArray("changes");
        foreach (var change in changes)
        {
            if (only is null || change.Tenant == only.Value.Value)
            {
                Write(json, change);
            }
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>A shard that no silo says it has.</summary>
    private static void WriteClosed(Utf8JsonWriter json, ShardId shard)
    {
        json.WriteStartObject();
        json.WriteString("tenant", shard.Tenant.Value);
        json.WriteString("range", shard.Range.ToString());
        json.WriteString("owner", "");
        json.WriteString("state", nameof(ShardState.Closed));
        json.WriteStartArray("replicas");
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ClusterSilo silo, ShardMoveReport move)
    {
        json.WriteStartObject();
        json.WriteString("tenant", move.Tenant);
        json.WriteString("range", move.Range);
        json.WriteString("from", silo.Card.Node.Value);
        json.WriteString("to", move.To);
        json.WriteString("since", move.Since);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ShardChangeStatus change)
    {
        json.WriteStartObject();
        json.WriteString("tenant", change.Tenant);
        Write(json, "parents", change.Parents);
        Write(json, "children", change.Children);
        json.WriteString("step", change.Step.ToString());
        json.WriteString("since", change.Since);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, IReadOnlyList<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, ClusterSilo silo)
    {
        json.WriteStartObject();
        json.WriteString("address", silo.Address);
        json.WriteString("state", silo.State);
        json.WriteString("node", silo.Card.Node.Value);
        json.WriteString("zone", silo.Card.Zone);
        json.WriteString("http", silo.Card.Http);
        if (!silo.Card.Pool.IsEverybodys)
        {
            json.WriteString("tenants", silo.Card.Pool.ToString());
        }

        if (silo.Report is { } report)
        {
            json.WriteBoolean("leaving", report.IsLeaving);
            json.WriteNumber("cpu", Math.Round(report.Cpu, 3));
            json.WriteNumber("memory", Math.Round(report.Memory, 3));
            json.WriteNumber("memoryBytes", report.MemoryBytes);
            json.WriteNumber("shards", report.Shards.Count);
            json.WriteNumber("headSeries", report.Shards.Sum(static s => s.HeadSeries));
            json.WriteNumber("samplesPerSecond", Math.Round(report.Shards.Sum(static s => s.SamplesPerSecond), 1));
        }

        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ClusterSilo silo, ShardReport shard)
    {
        json.WriteStartObject();
        json.WriteString("tenant", shard.Tenant);
        json.WriteString("range", shard.Range);
        json.WriteString("owner", silo.Card.Node.Value);
        json.WriteString("state", shard.State.ToString());
        json.WriteNumber("epoch", shard.Epoch);
        json.WriteNumber("nextRecord", shard.NextRecord);
        json.WriteNumber("committed", shard.Committed);
        json.WriteNumber("replayedBytes", shard.ReplayedBytes);
        json.WriteNumber("replayBytes", shard.ReplayBytes);
        json.WriteNumber("headSeries", shard.HeadSeries);
        json.WriteNumber("blocks", shard.Blocks);
        json.WriteNumber("logBytes", shard.LogBytes);
        json.WriteNumber("samplesPerSecond", Math.Round(shard.SamplesPerSecond, 1));
        json.WriteStartArray("replicas");
        foreach (var follower in shard.Followers)
        {
            json.WriteStartObject();
            json.WriteString("node", follower.Node);
            json.WriteNumber("lag", follower.Lag);
            json.WriteBoolean("whole", follower.IsWhole);
            if (follower.Lost is { } lost)
            {
                json.WriteString("lost", lost);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private async ValueTask<ApiAnswer> MoveAsync(ApiRequest request)
    {
        var control = Control();
        var shard = ShardOf(request.Parameters["tenant"], request.Parameters["range"]);
        var to = new NodeId(Required(request, "to"));
        await DoAsync(() => control.MoveAsync(shard, to, request.Aborted));
        return ApiAnswer.NoContent;
    }

    private async ValueTask<ApiAnswer> DrainAsync(ApiRequest request)
    {
        var control = Control();
        var silo = new NodeId(Required(request, "node"));
        await DoAsync(() => control.DrainAsync(silo, request.Aborted));
        return ApiAnswer.NoContent;
    }

    /// <summary>In the single process too: it has shards to split and to merge, if none to move.</summary>
    private async ValueTask<ApiAnswer> ReshardAsync(ApiRequest request, Func<ShardId, CancellationToken, ValueTask> act)
    {
        CheckEnabled();
        var shard = ShardOf(request.Parameters["tenant"], request.Parameters["range"]);
        await DoAsync(() => act(shard, request.Aborted));
        return ApiAnswer.NoContent;
    }

    private static async ValueTask DoAsync(Func<ValueTask> act)
    {
        try
        {
            await act();
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ApiException(ApiErrorType.BadData, e.Message);
        }
        catch (IOException e)
        {
            throw new ApiException(ApiErrorType.Unavailable, e.Message);
        }
    }

    private static ShardId ShardOf(string tenant, string range)
    {
        if (!TenantId.TryParse(tenant, out var id, out var error))
        {
            throw ApiException.InvalidParameter("tenant", error);
        }

        try
        {
            return new ShardId(id, HashRange.Parse(range));
        }
        catch (FormatException e)
        {
            throw ApiException.InvalidParameter("range", e.Message);
        }
    }

    private static string Required(ApiRequest request, string name) =>
        request.Parameters[name] is { Length: > 0 } value ? value : throw ApiException.InvalidParameter(name, "it is required");

    private IClusterControl Control()
    {
        CheckEnabled();
        return cluster.Control ?? throw new ApiException(ApiErrorType.BadData, "this is the single process: there is nothing to move");
    }

    private void CheckEnabled()
    {
        if (!enabled)
        {
            throw new ApiException(ApiErrorType.Unavailable, "admin APIs disabled");
        }
    }
}
