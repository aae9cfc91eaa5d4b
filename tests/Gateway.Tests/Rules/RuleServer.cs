using System.Net;
using System.Text;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Server;
using Metrics.PromQL;
using Metrics.Rules.Groups;
using Metrics.Testing;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>The real server over real shards on a free port of loopback, with a clock for its rules that the test moves from tick to tick.</summary>
internal sealed class RuleServer : IAsyncDisposable
{
    /// <summary>Where the clock starts.</summary>
    public const long Start = 1_700_000_000_000;

    private readonly string folder;
    private readonly InProcessCluster cluster;
    private readonly GatewayServer server;
    private readonly HttpClient http;

    private RuleServer(string folder, InProcessCluster cluster, GatewayServer server, FakeTime time)
    {
        this.folder = folder;
        this.cluster = cluster;
        this.server = server;
        Time = time;
        http = new HttpClient { BaseAddress = server.Address };
    }

    public FakeTime Time { get; }

    public ICluster Cluster => cluster;

    /// <summary>Starts it; <paramref name="seen"/> makes of the shards what the server sees of them.</summary>
    public static async Task<RuleServer> StartAsync(Action<GatewayOptions>? configure = null, Func<ICluster, ICluster>? seen = null)
    {
        var data = Directory.CreateTempSubdirectory("gateway-rule-server-").FullName;
        var options = new GatewayOptions();
        options.Http.Listen = "127.0.0.1:0";
        options.Http.WatchEvery = TimeSpan.Zero;
        configure?.Invoke(options);
        OptionsValidator.Validate(options);
        var engine = new EngineOptions();
        var time = new FakeTime(Start);

        // Samples are of the test's time: the shards don't look at the clock.
        var storage = new StorageOptions { DataDirectory = data, ShardsPerTenant = 2, MaxFuture = TimeSpan.Zero };
        var shards = InProcessCluster.Open(storage, engine, TimeProvider.System, static _ => { });
        await shards.Ready;
        var made = new GatewayServer(options, seen?.Invoke(shards) ?? shards, engine, new QueryEngine(engine).ExecuteAsync, time, logging => logging.SetMinimumLevel(LogLevel.None));
        await made.StartAsync(CancellationToken.None);
        return new RuleServer(data, shards, made, time);
    }

    /// <summary>Writes series (labels as <c>a=b,c=d</c>) of a tenant.</summary>
    public async Task WriteAsync(string tenant, params (string Labels, (long TimeMs, double Value)[] Samples)[] series)
    {
        using var content = new ByteArrayContent(WriteMessage.Snappy(WriteMessage.Of([.. series.Select(s => WriteMessage.Series(s.Labels, s.Samples))])));
        content.Headers.ContentType = new("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var request = Request(HttpMethod.Post, "/api/v1/write", tenant);
        request.Content = content;
        request.Headers.Add("X-Prometheus-Remote-Write-Version", "0.1.0");
        using var answer = await http.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Sets a group through the ruler API, in the namespace <c>ns</c>.</summary>
    public async Task<(HttpStatusCode Status, string Body)> SetAsync(string tenant, string group)
    {
        using var request = Request(HttpMethod.Post, "/config/v1/rules/ns", tenant);
        request.Content = new StringContent(group, Encoding.UTF8, "application/yaml");
        using var answer = await http.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The <c>data</c> of an answer.</summary>
    public async Task<JsonElement> GetAsync(string tenant, string path)
    {
        using var request = Request(HttpMethod.Get, path, tenant);
        using var answer = await http.SendAsync(request);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, body);
        return JsonDocument.Parse(body).RootElement.GetProperty("data");
    }

    /// <summary>An answer that is no JSON.</summary>
    public async Task<(HttpStatusCode Status, string Body)> SendAsync(HttpMethod method, string path)
    {
        using var request = Request(method, path, "default");
        using var answer = await http.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The vector that a query gives, as <c>{a="b"} 1; ...</c>, ascending.</summary>
    public async Task<string> QueryAsync(string tenant, string query, long timeMs)
    {
        var data = await GetAsync(tenant, $"/api/v1/query?query={Uri.EscapeDataString(query)}&time={timeMs / 1000.0}");
        return string.Join("; ", data.GetProperty("result").EnumerateArray().Select(s =>
            $"{{{string.Join(',', s.GetProperty("metric").EnumerateObject().Select(l => $"{l.Name}={l.Value.GetString()}"))}}} {s.GetProperty("value")[1].GetString()}").Order(StringComparer.Ordinal));
    }

    /// <summary>The first tick of a group of <c>ns</c> that is due after the start of the clock.</summary>
    public static long FirstTick(string group, long intervalMs) => new GroupSchedule("ns", group, intervalMs).TickAtOrAfter(Start + 1);

    /// <summary>Moves the clock to a tick and gives the group when it has been evaluated; ticks in between must have been.</summary>
    public async Task<JsonElement> TickAsync(string tenant, string group, long tickMs)
    {
        if (Time.NowMs < tickMs)
        {
            await Time.UntilDueAsync(tickMs);
            Time.AdvanceTo(tickMs);
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var groups = (await GetAsync(tenant, $"/api/v1/rules?rule_group[]={group}")).GetProperty("groups");
            if (groups.GetArrayLength() == 1 && groups[0].GetProperty("lastEvaluation").GetDateTimeOffset().ToUnixTimeMilliseconds() == tickMs)
            {
                return groups[0];
            }

            Assert.False(patience.IsCancellationRequested, $"the tick {tickMs} of {group} was not evaluated: {groups}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await server.DisposeAsync();
        await cluster.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static HttpRequestMessage Request(HttpMethod method, string path, string tenant)
    {
        var request = new HttpRequestMessage(method, path);
        request.Headers.Add("X-Scope-OrgID", tenant);
        return request;
    }
}
