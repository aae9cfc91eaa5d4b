using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Metrics.SideBySide;

namespace Metrics.ClusterBench;

/// <summary>The processes of a setup, on loopback, with folders of their own below one root; requests go to each in turn.</summary>
internal sealed class Deployment : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { Timeout = TimeSpan.FromMinutes(5) };
    private readonly List<(Process Process, Uri Address)> members = [];
    private readonly string bucket;
    private int turn;

    private Deployment(string root) => bucket = Path.Combine(root, "bucket");

    /// <summary>Requests that had to be sent again.</summary>
    public int Refused { get; private set; }

    /// <summary>CPU seconds that all processes used so far.</summary>
    public double CpuSeconds => members.Sum(static m => ProcessMeter.CpuSeconds(m.Process.Id));

    /// <summary>Resident MiB of all processes.</summary>
    public double ResidentMib => members.Sum(static m => ProcessMeter.ResidentMib(m.Process.Id));

    /// <summary>Open files of all processes.</summary>
    public int OpenFiles => members.Sum(static m => Directory.GetFileSystemEntries($"/proc/{m.Process.Id}/fd").Length);

    /// <summary>The first process, for profilers.</summary>
    public IEnumerable<int> ProcessIds => members.Select(static m => m.Process.Id);

    /// <summary>Starts a setup, in which tenants begin with so many shards, and waits until all of it is ready.</summary>
    public static async Task<Deployment> StartAsync(Setup setup, string root, int shards, params string[] arguments)
    {
        var started = new Deployment(root);
        try
        {
            for (var n = 0; n < Math.Max(1, setup.Silos); n++)
            {
                started.Start(setup, Path.Combine(root, $"data{n}"), ["--storage-shards-per-tenant", shards.ToString(CultureInfo.InvariantCulture), .. arguments]);
            }

            foreach (var (process, address) in started.members)
            {
                await started.WaitReadyAsync(process, address);
            }

            return started;
        }
        catch
        {
            started.Dispose();
            throw;
        }
    }

    /// <summary>Sends bodies over some connections, each until it is accepted.</summary>
    public Task WriteAllAsync(IReadOnlyList<ReadOnlyMemory<byte>> bodies, int connections, string tenant = "default") =>
        Parallel.ForEachAsync(bodies, new ParallelOptions { MaxDegreeOfParallelism = connections }, async (body, _) => await WriteAsync(body, tenant));

    /// <summary>Posts one body to the next process until it is accepted.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> body, string tenant)
    {
        while (true)
        {
            var address = members[(int)((uint)Interlocked.Increment(ref turn) % members.Count)].Address;
            using var content = new ReadOnlyMemoryContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "api/v1/write")) { Content = content };
            request.Headers.Add("X-Scope-OrgID", tenant);
            using var answer = await http.SendAsync(request);
            if (answer.IsSuccessStatusCode)
            {
                return;
            }

            if (answer.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable))
            {
                throw new HttpRequestException($"{address} answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
            }

            Refused++;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    /// <summary>The text that a GET of the first process gives.</summary>
    public async Task<string> GetAsync(string pathAndQuery) => await http.GetStringAsync(new Uri(members[0].Address, pathAndQuery));

    /// <summary>Posts to the first process, and waits for its answer.</summary>
    public async Task PostAsync(string pathAndQuery)
    {
        using var answer = await http.PostAsync(new Uri(members[0].Address, pathAndQuery), content: null);
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{pathAndQuery} was answered with {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
        }
    }

    /// <summary>Waits until what the load left to do is done: until CPU use falls to that of an idle setup, some twenty seconds at most. Gives the CPU seconds used so far.</summary>
    public async Task<double> QuietAsync()
    {
        var before = CpuSeconds;
        for (var waited = 0; waited < 10; waited++)
        {
            await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System);
            var now = CpuSeconds;
            if (waited >= 2 && now - before < 0.06 * members.Count)
            {
                return now;
            }

            before = now;
        }

        return before;
    }

    public void Dispose()
    {
        foreach (var (process, _) in members)
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        http.Dispose();
    }

    private void Start(Setup setup, string data, string[] arguments)
    {
        var (http, silo) = (FreePort(), FreePort());
        string[] own = setup.Silos == 0
            ? [Assembly("Gateway", "metrics.dll"), "serve"]
            : [Assembly("Silo", "metrics-silo.dll"), "serve", "--cluster-listen", $"127.0.0.1:{silo}", "--cluster-replication-factor", setup.ReplicationFactor.ToString(CultureInfo.InvariantCulture)];
        var command = new ProcessStartInfo("dotnet",
            [.. own, "--http-listen", $"127.0.0.1:{http}", "--data-dir", data, "--objstore.config", $"{{type: FILESYSTEM, config: {{directory: \"{bucket}\"}}}}", .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };

        // Without instrumented code in between, all is compiled in its final form by the time it is measured: three processes compile three times, and that is not what is asked.
        command.Environment["DOTNET_TieredPGO"] = "0";
        var process = Process.Start(command)!;
        process.BeginOutputReadLine();
        members.Add((process, new Uri($"http://127.0.0.1:{http}/")));
    }

    private async Task WaitReadyAsync(Process process, Uri address)
    {
        for (var attempt = 0; attempt < 6000; attempt++)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(address, "-/ready"));
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

        throw new TimeoutException($"{address} did not become ready");
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static string Assembly(string project, string file)
    {
        // bench/Cluster/bin/<configuration>/net10.0 -> src/<project>/bin/<configuration>/net10.0
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var root = output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        var path = Path.Combine(root, "src", project, "bin", output.Parent.Name, output.Name, file);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is not there: build src/{project} first, as {output.Parent.Name}", path);
    }
}
