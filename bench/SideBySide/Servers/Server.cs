using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Metrics.SideBySide;

/// <summary>A server under measurement, on loopback, with a directory that outlives a kill.</summary>
internal sealed class Server : IDisposable
{
    private const string Ours = "metrics";
    private const string Prometheus = "prometheus";
    private const string VictoriaMetrics = "victoria-metrics";

    private readonly Uri address;
    private readonly ProcessStartInfo command;
    private readonly HttpClient http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { Timeout = TimeSpan.FromMinutes(15) };
    private Process process;

    private Server(string name, Uri address, string directory, ProcessStartInfo command)
    {
        Name = name;
        Directory = directory;
        this.address = address;
        this.command = command;
        http.DefaultRequestHeaders.CacheControl = new CacheControlHeaderValue { NoStore = true }; // Ours keeps results of range queries otherwise.
        process = Start(command);
    }

    public string Name { get; }

    public string Directory { get; }

    public int ProcessId => process.Id;

    /// <summary>Where it listens.</summary>
    public Uri Address => address;

    /// <summary>The names that <see cref="StartAsync"/> knows, ours first: ratios are ours to another's.</summary>
    public static IReadOnlyList<string> Known { get; } = [Ours, Prometheus, VictoriaMetrics];

    /// <summary>Starts a server in a directory of its own below <paramref name="root"/>, with rules if there are any, and waits until it is ready.</summary>
    /// <param name="name">One of <see cref="Known"/>.</param>
    /// <param name="root">The directory.</param>
    /// <param name="rules">Rules to evaluate.</param>
    /// <param name="options">Flags for ours instead of the raised limits; null for those.</param>
    /// <param name="launcher">A program, and its arguments, that becomes the server's; null for none.</param>
    public static async Task<Server> StartAsync(string name, string root, RuleFile? rules = null, IReadOnlyList<string>? options = null, IReadOnlyList<string>? launcher = null)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var listen = $"127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        probe.Stop();
        var directory = System.IO.Directory.CreateDirectory(Path.Combine(root, name)).FullName;
        var configuration = Path.Combine(root, "prometheus.yml");
        var (ours, theirs) = rules is null ? ((string[])[], "global: {scrape_interval: 1h}\n")
            : (["--rules-files", rules.Path, "--rules-evaluation-interval", $"{rules.Interval.TotalSeconds}s"],
                $"global: {{scrape_interval: 1h, evaluation_interval: {rules.Interval.TotalSeconds}s}}\nrule_files: ['{rules.Path}']\n");
        await File.WriteAllTextAsync(configuration, theirs);

        // Limits on queries are raised alike, so that the heavy ones over a million series are answered by all.
        (string File, string[] Arguments) start = name switch
        {
            Ours => ("dotnet", [OurAssembly(), "serve", "--data-dir", directory, "--http-listen", listen, .. options ?? ["--query-max-samples", "2000000000", "--query-timeout", "10m"], .. ours]),
            Prometheus => ("prometheus", [
                $"--config.file={configuration}", $"--storage.tsdb.path={directory}", $"--web.listen-address={listen}", "--web.enable-remote-write-receiver",
                "--web.enable-admin-api", "--query.max-samples=2000000000", "--query.timeout=10m", "--log.level=error"]),
            VictoriaMetrics => ("victoria-metrics", [
                $"-storageDataPath={directory}", $"-httpListenAddr={listen}", "-retentionPeriod=10y", "-loggerLevel=ERROR", "-search.latencyOffset=1ms",
                "-search.maxUniqueTimeseries=10000000", "-search.maxSamplesPerQuery=2000000000", "-search.maxQueryDuration=10m", "-search.maxQueueDuration=5m"]),
            _ => throw new ArgumentException($"unknown server '{name}'; known are {string.Join(", ", Known)}", nameof(name)),
        };
        string[] line = [.. launcher ?? [], start.File, .. start.Arguments];
        var program = new ProcessStartInfo(line[0], line[1..]) { UseShellExecute = false, RedirectStandardOutput = true };
        program.Environment.TryAdd("DOTNET_GCgen0size", "0x400000"); // As in the image.
        var server = new Server(name, new Uri($"http://{listen}/"), directory, program);
        try
        {
            await server.WaitReadyAsync();
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Posts one body until it is accepted; back-pressure (429, 503) is waited out.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> snappyBody)
    {
        while (true)
        {
            using var content = new ReadOnlyMemoryContent(snappyBody);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            content.Headers.ContentEncoding.Add("snappy");
            using var answer = await http.PostAsync(new Uri(address, "api/v1/write"), content);
            if (answer.IsSuccessStatusCode)
            {
                return;
            }

            if (answer.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable))
            {
                throw new HttpRequestException($"{Name} answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    /// <summary>Sends the bodies over a few connections.</summary>
    public Task WriteAllAsync(IReadOnlyList<ReadOnlyMemory<byte>> bodies, int connections) =>
        Parallel.ForEachAsync(bodies, new ParallelOptions { MaxDegreeOfParallelism = connections }, async (body, _) => await WriteAsync(body));

    /// <summary>The whole answer to a GET.</summary>
    /// <exception cref="HttpRequestException">The answer is an error, or none came.</exception>
    public async Task<byte[]> GetAsync(string pathAndQuery)
    {
        using var answer = await http.GetAsync(new Uri(address, pathAndQuery));
        return await BytesAsync(answer, pathAndQuery);
    }

    /// <summary>Reads the whole answer to a GET and forgets it: what a client that asks all the time would keep of it, the collector of the process that measures would stop for.</summary>
    /// <param name="pathAndQuery">What to ask.</param>
    /// <param name="buffer">To read into, again and again.</param>
    /// <exception cref="HttpRequestException">The answer is an error, or none came.</exception>
    public async Task DrainAsync(string pathAndQuery, byte[] buffer)
    {
        using var answer = await http.GetAsync(new Uri(address, pathAndQuery), HttpCompletionOption.ResponseHeadersRead);
        if (!answer.IsSuccessStatusCode)
        {
            await BytesAsync(answer, pathAndQuery);
        }

        await using var body = await answer.Content.ReadAsStreamAsync();
        int read;
        do
        {
            read = await body.ReadAsync(buffer);
        }
        while (read > 0);
    }

    /// <summary>The whole answer to a POST without a body.</summary>
    /// <exception cref="HttpRequestException">The answer is an error, or none came.</exception>
    public async Task<byte[]> PostAsync(string pathAndQuery)
    {
        using var answer = await http.PostAsync(new Uri(address, pathAndQuery), content: null);
        return await BytesAsync(answer, pathAndQuery);
    }

    /// <summary>As kill -9 and a start of the same command: the process is new, the directory stays. Does not wait for readiness.</summary>
    public void KillAndStart()
    {
        Kill();
        process = Start(command);
    }

    /// <summary>Polls until the server says that it is ready.</summary>
    public async Task WaitReadyAsync()
    {
        for (var attempt = 0; attempt < 12_000; attempt++)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(address, Name == VictoriaMetrics ? "health" : "-/ready"));
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException) when (!process.HasExited)
            {
                // Not listening yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        throw new TimeoutException($"{Name} did not become ready");
    }

    /// <summary>
    /// Waits until the process uses no CPU to speak of, ten seconds at least and forty at most; gives the CPU seconds used so far. Ten, because VictoriaMetrics
    /// writes what it acknowledged up to some five seconds later: killed before, it comes back empty.
    /// </summary>
    public async Task<double> QuietAsync()
    {
        var cpu = ProcessMeter.CpuSeconds(ProcessId);
        for (var waited = 0; waited < 40; waited++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
            var now = ProcessMeter.CpuSeconds(ProcessId);
            if (waited >= 9 && now - cpu < 0.05)
            {
                return now;
            }

            cpu = now;
        }

        return cpu;
    }

    public void Dispose()
    {
        Kill();
        http.Dispose();
    }

    // Standard output is for the tables: greetings of servers are read and dropped. Errors go where ours go.
    private static Process Start(ProcessStartInfo command)
    {
        var started = Process.Start(command)!;
        started.BeginOutputReadLine();
        return started;
    }

    private void Kill()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
    }

    private async Task<byte[]> BytesAsync(HttpResponseMessage answer, string asked)
    {
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        return answer.IsSuccessStatusCode
            ? bytes
            : throw new HttpRequestException($"{Name} answered {(int)answer.StatusCode} to {asked}: {System.Text.Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, 300)))}");
    }

    private static string OurAssembly()
    {
        // bench/SideBySide/bin/<configuration>/net10.0 -> src/Gateway/bin/<configuration>/net10.0
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var root = output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        return Path.Combine(root, "src", "Gateway", "bin", output.Parent.Name, output.Name, "metrics.dll");
    }
}

/// <summary>Rules that a server evaluates while it is measured.</summary>
/// <param name="Path">The rule file.</param>
/// <param name="Interval">How often, where groups do not say.</param>
internal sealed record RuleFile(string Path, TimeSpan Interval);
