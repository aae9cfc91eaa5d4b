using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.PromQL;
using Microsoft.Extensions.Logging;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.Tests;

/// <summary>The real server on a free port of loopback, over a fake cluster and canned query results.</summary>
internal sealed class GatewayApp : IAsyncDisposable
{
    private readonly GatewayServer server;

    private GatewayApp(GatewayServer server, FakeCluster cluster)
    {
        this.server = server;
        Cluster = cluster;
        Http = new HttpClient { BaseAddress = server.Address };
    }

    public FakeCluster Cluster { get; }

    public HttpClient Http { get; }

    public static async Task<GatewayApp> StartAsync(Action<GatewayOptions>? configure = null, QueryExecution? execute = null, TimeProvider? time = null, IRuleCluster? rules = null, IReplicaElector? elector = null, string process = "")
    {
        var options = new GatewayOptions();
        options.Http.Listen = "127.0.0.1:0";
        configure?.Invoke(options);
        OptionsValidator.Validate(options);
        var cluster = new FakeCluster { Rules = rules, Elector = elector, ProcessName = process };
        var made = new GatewayServer(options, cluster, new EngineOptions(), execute ?? Empty, time ?? TimeProvider.System, logging => logging.SetMinimumLevel(LogLevel.None));
        await made.StartAsync(CancellationToken.None);
        return new GatewayApp(made, cluster);
    }

    /// <summary>A vector or matrix of floats.</summary>
    public static QueryResult Result(ValueType type, params (string Labels, (long TimeMs, double Value)[] Points)[] series) => new()
    {
        Type = type,
        Series = [.. series.Select(s => new ResultSeries(LabelsOf(s.Labels), Points(s.Points)))],
    };

    public static Labels LabelsOf(string pairs)
    {
        var builder = new LabelsBuilder();
        foreach (var pair in pairs.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            builder.Set(pair.Split('=')[0], pair.Split('=')[1]);
        }

        return builder.ToLabels();
    }

    public async Task<(HttpStatusCode Status, string Body)> GetAsync(string path, params (string Name, string Value)[] headers) =>
        await SendAsync(HttpMethod.Get, path, null, headers);

    public Task<(HttpStatusCode Status, string Body)> PostFormAsync(string path, string form) =>
        SendAsync(HttpMethod.Post, path, new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded"));

    public async Task<(HttpStatusCode Status, string Body)> SendAsync(HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var response = await AskAsync(method, path, content, headers);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content!.Headers.Remove(name);
                request.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await Http.SendAsync(request);
    }

    /// <summary>Sends a message as remote write does.</summary>
    public Task<(HttpStatusCode Status, string Body)> WriteAsync(byte[] message, params (string Name, string Value)[] headers) =>
        WriteRawAsync(WriteMessage.Snappy(message), headers);

    /// <summary>Sends bytes as the body of a remote write.</summary>
    public Task<(HttpStatusCode Status, string Body)> WriteRawAsync(byte[] body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "/api/v1/write", WriteContent(body), headers);

    public static ByteArrayContent WriteContent(byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        return content;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await server.StopAsync(CancellationToken.None);
        await server.DisposeAsync();
    }

    private static SampleBuffer Points((long TimeMs, double Value)[] points)
    {
        var buffer = new SampleBuffer();
        foreach (var (timeMs, value) in points)
        {
            buffer.Add(timeMs, value);
        }

        return buffer;
    }

    private static ValueTask<QueryResult> Empty(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation) =>
        ValueTask.FromResult(Result(request.IsRange ? ValueType.Matrix : ValueType.Vector));
}
