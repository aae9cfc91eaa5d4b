using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Metrics.SideBySide;

/// <summary>A server under measurement, started from a fresh directory on loopback.</summary>
internal sealed class Server : IDisposable
{
    private readonly Process process;
    private readonly Uri address;
    private readonly string writePath;
    private readonly HttpClient http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { Timeout = TimeSpan.FromMinutes(5) };

    private Server(string name, Process process, Uri address, string writePath, string directory)
    {
        Name = name;
        this.process = process;
        this.address = address;
        this.writePath = writePath;
        Directory = directory;
    }

    public string Name { get; }

    public string Directory { get; }

    public int ProcessId => process.Id;

    /// <summary>The names that <see cref="StartAsync"/> knows.</summary>
    public static IReadOnlyList<string> Known { get; } = ["metrics", "prometheus", "victoria-metrics"];

    public static async Task<Server> StartAsync(string name, string root)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        var directory = System.IO.Directory.CreateDirectory(Path.Combine(root, name)).FullName;
        var configuration = Path.Combine(root, "prometheus.yml");
        await File.WriteAllTextAsync(configuration, "global: {scrape_interval: 1h}\n");
        var (file, arguments, writePath, ready) = name switch
        {
            "metrics" => ("dotnet", new[] { OurAssembly(), "serve", "--data-dir", directory, "--http-listen", $"127.0.0.1:{port}" }, "api/v1/write", "-/ready"),
            "prometheus" => ("prometheus", new[] { $"--config.file={configuration}", $"--storage.tsdb.path={directory}", $"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--log.level=error" }, "api/v1/write", "-/ready"),
            "victoria-metrics" => ("victoria-metrics", new[] { $"-storageDataPath={directory}", $"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=10y", "-loggerLevel=ERROR" }, "api/v1/write", "health"),
            _ => throw new ArgumentException($"unknown server '{name}'; known are {string.Join(", ", Known)}", nameof(name)),
        };
        var started = Process.Start(new ProcessStartInfo(file, arguments) { UseShellExecute = false })!;
        var server = new Server(name, started, new Uri($"http://127.0.0.1:{port}/"), writePath, directory);
        await server.WaitReadyAsync(ready);
        return server;
    }

    /// <summary>Posts one body until it is accepted; back-pressure (429, 503) is waited out.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> snappyBody)
    {
        while (true)
        {
            using var content = new ReadOnlyMemoryContent(snappyBody);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            content.Headers.ContentEncoding.Add("snappy");
            using var answer = await http.PostAsync(new Uri(address, writePath), content);
            if (answer.IsSuccessStatusCode)
            {
                return;
            }

            if (answer.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable))
            {
                throw new HttpRequestException($"{Name} answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
            }

            await Task.Delay(100);
        }
    }

    /// <summary>Asks and gives the whole answer's length.</summary>
    public async Task<string> GetAsync(string pathAndQuery)
    {
        using var answer = await http.GetAsync(new Uri(address, pathAndQuery));
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? text : throw new HttpRequestException($"{Name} answered {(int)answer.StatusCode} to {pathAndQuery}: {text}");
    }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        http.Dispose();
    }

    private static string OurAssembly()
    {
        // bench/SideBySide/bin/<configuration>/net10.0 -> src/Gateway/bin/<configuration>/net10.0
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var root = output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        return Path.Combine(root, "src", "Gateway", "bin", output.Parent.Name, output.Name, "metrics.dll");
    }

    private async Task WaitReadyAsync(string path)
    {
        for (var attempt = 0; attempt < 600; attempt++)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(address, path));
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException) when (!process.HasExited)
            {
                // Not listening yet.
            }

            await Task.Delay(100);
        }

        throw new TimeoutException($"{Name} did not become ready");
    }
}
