using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>Stands for an Alertmanager: takes alerts by its API v2 and keeps them in the order they came.</summary>
internal sealed class AlertReceiver : IAsyncDisposable
{
    private readonly HttpListener listener = new();
    private readonly List<JsonElement> received = [];
    private readonly Task loop;

    public AlertReceiver()
    {
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            Address = $"127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}";
        }

        listener.Prefixes.Add($"http://{Address}/");
        listener.Start();
        loop = ListenAsync();
    }

    /// <summary>Host and port.</summary>
    public string Address { get; }

    /// <summary>All alerts so far.</summary>
    public IReadOnlyList<JsonElement> Received
    {
        get
        {
            lock (received)
            {
                return [.. received];
            }
        }
    }

    /// <summary>Waits until so many alerts have come.</summary>
    public async Task UntilAsync(int count)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (Received.Count < count)
        {
            await Task.Yield();
            if (patience.IsCancellationRequested)
            {
                throw new TimeoutException($"got {Received.Count} alerts, want {count}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        await loop;
        listener.Close();
    }

    private async Task ListenAsync()
    {
        while (listener.IsListening)
        {
            HttpListenerContext request;
            try
            {
                request = await listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            using var body = await JsonDocument.ParseAsync(request.Request.InputStream);
            lock (received)
            {
                received.AddRange(body.RootElement.EnumerateArray().Select(a => a.Clone()));
            }

            request.Response.StatusCode = request.Request is { HttpMethod: "POST", Url.AbsolutePath: "/api/v2/alerts" } ? 200 : 404;
            request.Response.Close();
        }
    }
}
