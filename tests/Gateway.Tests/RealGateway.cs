using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Cli;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Server;
using Metrics.PromQL;
using Microsoft.Extensions.Logging;

namespace Metrics.Gateway.Tests;

/// <summary>The real server on a free port of loopback, over the real cluster in a folder of its own.</summary>
internal sealed class RealGateway : IAsyncDisposable
{
    private readonly InProcessCluster cluster;
    private readonly GatewayServer server;
    private readonly StringWriter log;

    private RealGateway(string folder, InProcessCluster cluster, GatewayServer server, StringWriter log, HttpMessageHandler handler)
    {
        Folder = folder;
        this.cluster = cluster;
        this.server = server;
        this.log = log;
        Http = new HttpClient(handler) { BaseAddress = server.Address };
    }

    /// <summary>A folder that goes with the server; <c>data</c> in it is the cluster's.</summary>
    public string Folder { get; }

    public HttpClient Http { get; }

    public Uri Address => server.Address;

    public IReadOnlyList<HttpRoute> Routes => server.Routes;

    public InProcessCluster Cluster => cluster;

    public required EngineOptions Engine { get; init; }

    /// <summary>What was logged so far.</summary>
    public string Log
    {
        get
        {
            lock (log)
            {
                return log.ToString();
            }
        }
    }

    /// <summary>Starts; <paramref name="configure"/> may put files into the folder that it is given.</summary>
    public static async Task<RealGateway> StartAsync(Action<GatewayOptions, string>? configure = null, TimeProvider? time = null, HttpMessageHandler? handler = null, Func<ICluster, ICluster>? through = null, Func<EngineOptions, EngineOptions>? engine = null)
    {
        var folder = Directory.CreateTempSubdirectory("gateway").FullName;
        var options = new GatewayOptions();
        options.Http.Listen = "127.0.0.1:0";
        options.Http.WatchEvery = TimeSpan.Zero;
        options.Storage.DataDir = Path.Combine(folder, "data");
        options.Storage.ShardsPerTenant = 4;
        configure?.Invoke(options, folder);
        OptionsValidator.Validate(options);
        var own = ServeProcess.EngineOptionsOf(options);
        own = engine?.Invoke(own) ?? own;
        var clock = time ?? TimeProvider.System;
        var opened = InProcessCluster.Open(LocalCluster.StorageOf(options), own, clock, _ => { });
        await opened.Ready;
        var said = new StringWriter();
        var made = new GatewayServer(options, through is null ? opened : through(opened), own, new QueryEngine(own).ExecuteAsync, clock, logging => logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning).AddProvider(new LogCapture(said)));
        await made.StartAsync(CancellationToken.None);
        return new RealGateway(folder, opened, made, said, handler ?? new HttpClientHandler()) { Engine = own };
    }

    public Task ReloadAsync() => server.ReloadAsync(CancellationToken.None);

    public Task<Answer> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, null, headers);

    public async Task<Answer> SendAsync(HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await Http.SendAsync(request);
        var all = response.Headers.Concat(response.Content.Headers).Select(h => $"{h.Key}: {string.Join(", ", h.Value)}");
        return new Answer(response.StatusCode, await response.Content.ReadAsStringAsync(), string.Join("\n", all), response.Headers.RetryAfter?.Delta);
    }

    /// <summary>Writes series for a tenant, one sample of 1 each at a time (now by default).</summary>
    public Task<Answer> WriteAsync(string tenant, params string[] series) => WriteAsync([("X-Scope-OrgID", tenant)], null, series);

    public Task<Answer> WriteAsync((string Name, string Value)[] headers, long? timeMs, params string[] series)
    {
        var at = timeMs ?? TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        return SendAsync(HttpMethod.Post, "/api/v1/write", Body(WriteMessage.Of([.. series.Select(s => WriteMessage.Series(s, (at, 1)))])), headers);
    }

    public static ByteArrayContent Body(byte[] message)
    {
        var content = new ByteArrayContent(WriteMessage.Snappy(message));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        return content;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await server.StopAsync(CancellationToken.None);
        await server.DisposeAsync();
        await cluster.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    internal sealed record Answer(HttpStatusCode Status, string Body, string Headers, TimeSpan? RetryAfter)
    {
        public int Code => (int)Status;
    }

    private sealed class LogCapture(StringWriter to) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (to)
            {
                to.WriteLine(new StringBuilder().Append(logLevel).Append(": ").Append(formatter(state, exception)).Append(' ').Append(exception));
            }
        }

        public void Dispose()
        {
        }
    }
}
