using System.Net;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Rules;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Tests.Reference;
using Microsoft.Extensions.Logging;

namespace Metrics.Gateway.Tests.FrontEnd;

/// <summary>A clock whose time of day is set by the test; waiting takes real time.</summary>
internal sealed class SetTime : TimeProvider
{
    public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddDays(1);

    public override DateTimeOffset GetUtcNow() => Now;
}

/// <summary>A real cluster in a folder of its own, and any number of servers over it.</summary>
internal sealed class StoredSeries : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("metrics-frontend-").FullName;
    private readonly List<GatewayServer> servers = [];

    public StoredSeries()
    {
        Cluster = InProcessCluster.Open(new StorageOptions { DataDirectory = folder, ShardsPerTenant = 2 }, Engine, Time, static _ => { });
    }

    public static EngineOptions Engine { get; } = new() { Parsing = ParseOptions.All };

    public SetTime Time { get; } = new();

    public InProcessCluster Cluster { get; }

    /// <summary>A client of a new server.</summary>
    public async Task<HttpClient> ServeAsync(Action<GatewayOptions> configure, Action<ILoggingBuilder>? logging = null)
    {
        var options = new GatewayOptions();
        options.Http.Listen = "127.0.0.1:0";
        configure(options);
        OptionsValidator.Validate(options);
        var server = new GatewayServer(options, Cluster, Engine, new QueryEngine(Engine).ExecuteAsync, Time, logging ?? (static l => l.SetMinimumLevel(LogLevel.None)));
        await server.StartAsync(CancellationToken.None);
        servers.Add(server);
        return new HttpClient { BaseAddress = server.Address };
    }

    /// <summary>Writes series of the default tenant.</summary>
    public async Task<WriteOutcome> WriteAsync(IEnumerable<NaiveSeries> series)
    {
        var writer = new TenantWriter(await Cluster.OpenTenantAsync(TenantId.Parse("default"), CancellationToken.None), new LabelLimits());
        var all = series.ToList();
        var body = all.SelectMany(s => s.Labels.Encoded.ToArray()).ToArray();
        using var batch = writer.Begin<CanonicalLabels>(body);
        var at = 0;
        foreach (var one in all)
        {
            var length = one.Labels.Encoded.Length;
            batch.BeginSeries(body.AsSpan(at, length));
            at += length;
            foreach (var sample in one.Samples)
            {
                if (sample.Histogram is null)
                {
                    batch.Add(sample.TimeMs, sample.Value);
                }
                else
                {
                    batch.Add(sample.TimeMs, sample.Histogram);
                }
            }
        }

        return await batch.WriteAsync(CancellationToken.None);
    }

    /// <summary>Status and body of a range query in milliseconds.</summary>
    public static async Task<(HttpStatusCode Status, string Body)> RangeAsync(HttpClient client, string query, long startMs, long endMs, long stepMs, string more = "", bool noStore = false)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/query_range")
        {
            Content = new StringContent(
                $"query={Uri.EscapeDataString(query)}&start={Seconds(startMs)}&end={Seconds(endMs)}&step={Seconds(stepMs)}{more}", Encoding.UTF8, "application/x-www-form-urlencoded"),
        };
        if (noStore)
        {
            request.Headers.CacheControl = new() { NoStore = true };
        }

        using var response = await client.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in servers)
        {
            await server.StopAsync(CancellationToken.None);
            await server.DisposeAsync();
        }

        await Cluster.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static string Seconds(long ms) => (ms / 1000m).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
