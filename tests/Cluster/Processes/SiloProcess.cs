using System.Net;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Where a silo runs.</summary>
/// <param name="Http">The address that it takes HTTP on.</param>
/// <param name="Cluster">The address that other silos reach.</param>
/// <param name="Namespace">The network namespace; null for the test's own.</param>
internal sealed record SiloHost(string Http, string Cluster, string? Namespace)
{
    /// <summary>Loopback, as the test itself.</summary>
    public static SiloHost Here { get; } = new("127.0.0.1", "127.0.0.1", null);
}

/// <summary>A silo as an operator starts it: the built executable, a data folder of its own, the object storage that all share (as <c>--objstore.config</c> says it), two ports.</summary>
internal sealed partial class SiloProcess(string objectStore, string data, SiloHost host, string[] extraArguments) : IDisposable
{
    /// <summary>How often a silo writes down that it lives; whoever comes when all are lost waits for three of these.</summary>
    public static readonly TimeSpan AliveEvery = TimeSpan.FromSeconds(4);

    private const int SigStop = 19;
    private const int SigContinue = 18;

    /// <summary>Where the build put the executable's assembly, in the configuration that this test was built in.</summary>
    private static readonly string assembly = FindAssembly();

    private readonly List<RunningProgram> runs = [];

    /// <summary>Where it takes HTTP; another port after each start.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1/");

    /// <summary>Where it hears other silos.</summary>
    public int ClusterPort { get; private set; }

    /// <summary>The process.</summary>
    public RunningProgram Program => runs[^1];

    /// <summary>Each process that it was, the last one included.</summary>
    public IReadOnlyList<RunningProgram> Runs => [.. runs];

    /// <summary>True from its start until it is killed, stopped, frozen or cut off.</summary>
    public bool IsServing { get; set; }

    /// <summary>Starts the program without waiting for it.</summary>
    public void Start()
    {
        var (http, silo) = (FreePorts.Next(), FreePorts.Next());
        Address = new Uri($"http://{host.Http}:{http}/");
        ClusterPort = silo;
        string[] arguments =
        [
            assembly, "serve", "--http-listen", $"{host.Http}:{http}", "--cluster-listen", $"{host.Cluster}:{silo}", "--data-dir", data, "--objstore.config", objectStore,
            "--cluster-alive-every", $"{AliveEvery.TotalSeconds}s", .. extraArguments,
        ];
        runs.Add(host.Namespace is { } isolated ? RunningProgram.Start("ip", ["netns", "exec", isolated, "dotnet", .. arguments]) : RunningProgram.Start("dotnet", arguments));
    }

    /// <summary>Waits until it takes part.</summary>
    public async Task WaitReadyAsync(HttpClient http)
    {
        await Program.WaitReadyAsync(http, new Uri(Address, "-/ready"), TimeSpan.FromSeconds(120));
        IsServing = true;
    }

    /// <summary>kill -9.</summary>
    public void Kill()
    {
        IsServing = false;
        Program.Kill();
    }

    /// <summary>SIGTERM; gives the exit code.</summary>
    public Task<int> TerminateAsync()
    {
        IsServing = false;
        return Program.TerminateAsync(TimeSpan.FromSeconds(90));
    }

    /// <summary>SIGSTOP: it holds its sockets and does nothing.</summary>
    public void Freeze()
    {
        IsServing = false;
        Signal(SigStop);
    }

    /// <summary>SIGCONT: it goes on where it was, and knows nothing of what happened.</summary>
    public void Thaw() => Signal(SigContinue);

    /// <summary>Posts a Snappy-compressed remote write 1.0 body.</summary>
    public async Task<HttpResponseMessage> WriteAsync(HttpClient http, ReadOnlyMemory<byte> snappyBody, CancellationToken cancellation)
    {
        using var content = new ReadOnlyMemoryContent(snappyBody);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Address, "api/v1/write")) { Content = content, Version = HttpVersion.Version11 };
        return await http.SendAsync(request, cancellation);
    }

    public void Dispose()
    {
        foreach (var run in runs)
        {
            run.Dispose();
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int processId, int signal);

    private void Signal(int signal)
    {
        if (SendSignal(Program.ProcessId, signal) != 0)
        {
            throw new InvalidOperationException($"could not send signal {signal}: errno {Marshal.GetLastPInvokeError()}");
        }
    }

    private static string FindAssembly()
    {
        // tests/Cluster/bin/<configuration>/net10.0 -> src/Silo/bin/<configuration>/net10.0
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var root = output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        var path = Path.Combine(root, "src", "Silo", "bin", output.Parent!.Name, output.Name, "metrics-silo.dll");
        return File.Exists(path) ? path : throw new FileNotFoundException("the silo is not built", path);
    }
}
