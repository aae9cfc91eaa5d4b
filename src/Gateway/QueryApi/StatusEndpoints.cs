using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>status/*</c>: what Grafana and other clients ask to learn whom they talk to. Shapes are Prometheus's.</summary>
internal sealed class StatusEndpoints(ApiEndpoint endpoint, ICluster cluster, GatewayOptions options, ConfigurationReload reload, MetricRegistry registry, TimeProvider time, DateTimeOffset startTime)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        Status("buildinfo", RouteAccess.Read, _ => WriteBuild),
        Status("runtimeinfo", RouteAccess.Read, _ => WriteRuntime),
        Status("flags", RouteAccess.Admin, _ => to => JsonFields.Object(to, SettingCatalog.All.Select(s => (s.Flag[2..], s.ShowSafe(options))).OrderBy(f => f.Item1, StringComparer.Ordinal))),
        Status("config", RouteAccess.Admin, _ => to => JsonFields.Object(to, [("yaml", ConfigurationText.Of(options))])),
        Status("walreplay", RouteAccess.Read, _ => WriteReplay),
        Status("self_metrics", RouteAccess.Admin, SelfMetrics),
    ];

    /// <summary>The metrics of this process; with <c>metric_name_pattern</c> those whose whole names it matches.</summary>
    private Action<IBufferWriter<byte>> SelfMetrics(ApiRequest request)
    {
        var pattern = request.Parameters["metric_name_pattern"];
        if (pattern.Length == 0)
        {
            return to => SelfMetricsJson.Write(to, registry, static _ => true);
        }

        try
        {
            var names = new Regex($"^(?:{pattern})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return to => SelfMetricsJson.Write(to, registry, names.IsMatch);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ApiException(ApiErrorType.BadData, $"invalid metric_name_pattern: {e.Message}", e);
        }
    }

    private HttpRoute Status(string name, RouteAccess access, Func<ApiRequest, Action<IBufferWriter<byte>>> answer) =>
        new(HttpRoute.Get, "/api/v1/status/" + name, "status_" + name, endpoint.Of(request => ValueTask.FromResult(ApiAnswer.Small(answer(request))), needsData: false)) { Access = access };

    /// <summary>Grafana chooses features by this version, so it names the Prometheus whose API and language are spoken here.</summary>
    private static void WriteBuild(IBufferWriter<byte> to) => JsonFields.Object(
        to,
        [
            ("version", BuildVersion.Prometheus), ("revision", BuildVersion.Revision), ("branch", "metrics-" + BuildVersion.Own),
            ("buildUser", ""), ("buildDate", ""), ("goVersion", ""),
        ]);

    private void WriteRuntime(IBufferWriter<byte> to)
    {
        JsonFields.Raw(to, "{\"startTime\":"u8);
        JsonFields.String(to, TimeText(startTime));
        JsonFields.Raw(to, ",\"CWD\":"u8);
        JsonFields.String(to, Environment.CurrentDirectory);
        JsonFields.Raw(to, ",\"hostname\":"u8);
        JsonFields.String(to, Environment.MachineName);
        JsonFields.Raw(to, ",\"serverTime\":"u8);
        JsonFields.String(to, TimeText(time.GetUtcNow()));
        JsonFields.Raw(to, reload.Failed ? ",\"reloadConfigSuccess\":false,\"lastConfigTime\":"u8 : ",\"reloadConfigSuccess\":true,\"lastConfigTime\":"u8);
        JsonFields.String(to, TimeText(reload.Succeeded));
        var damaged = cluster.Tenants.Sum(static t => t.Shards.Sum(static s => (long)s.Statistics.DamagedBlocks));
        Encoding.UTF8.GetBytes(
            $",\"corruptionCount\":{damaged},\"goroutineCount\":{ThreadPool.ThreadCount},\"GOMAXPROCS\":{Environment.ProcessorCount},\"GOMEMLIMIT\":{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes},\"GOGC\":\"\",\"GODEBUG\":\"\",\"storageRetention\":",
            to);
        JsonFields.String(to, Retention());
        JsonFields.Raw(to, "}"u8);
    }

    /// <summary>As Prometheus writes it, <c>15d or 512MB</c>; empty when all is kept.</summary>
    private string Retention()
    {
        string[] bounds =
        [
            options.Storage.Retention > TimeSpan.Zero ? DurationText.Format(options.Storage.Retention) : "",
            options.Archive.RetentionSize.Bytes > 0 ? options.Archive.RetentionSize.ToString() : "",
        ];
        return string.Join(" or ", bounds.Where(static b => b.Length > 0));
    }

    private static string TimeText(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    private void WriteReplay(IBufferWriter<byte> to)
    {
        var progress = cluster.Progress;
        var state = progress.IsReady ? "done" : "in progress";
        Encoding.UTF8.GetBytes($"{{\"min\":0,\"max\":{progress.TotalShards},\"current\":{progress.ReplayedShards},\"state\":\"{state}\"}}", to);
    }
}
