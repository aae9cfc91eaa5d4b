using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Metrics.Testing;

namespace Metrics.EndToEnd.Programs;

/// <summary>Our own server as a user starts it: the built executable, a data directory, a port.</summary>
internal sealed class MetricsServer : IDisposable
{
    private readonly string[] extraArguments;

    private MetricsServer(string dataDirectory, string[] extraArguments)
    {
        DataDirectory = dataDirectory;
        this.extraArguments = extraArguments;
        Http.Timeout = TimeSpan.FromSeconds(100);
    }

    public HttpClient Http { get; } = new();

    public string DataDirectory { get; }

    public Uri Address { get; private set; } = new("http://127.0.0.1/");

    public RunningProgram Program { get; private set; } = null!;

    /// <summary>Where the build put the executable's assembly, in the configuration that this test was built in.</summary>
    public static string AssemblyPath { get; } = FindAssembly();

    public static async Task<MetricsServer> StartAsync(string dataDirectory, params string[] extraArguments)
    {
        var server = new MetricsServer(dataDirectory, extraArguments);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts the program, on a new port, over the same data; returns when it is ready.</summary>
    public async Task StartAgainAsync()
    {
        var port = FreePorts.Next();
        Address = new Uri($"http://127.0.0.1:{port}/");
        string[] arguments = [AssemblyPath, "serve", "--data-dir", DataDirectory, "--http-listen", $"127.0.0.1:{port}", .. extraArguments];

        // Under nohup SIGHUP is ignored, and stays so in whatever is started.
        Program = OperatingSystem.IsLinux() ? RunningProgram.Start("env", ["--default-signal=HUP", "dotnet", .. arguments]) : RunningProgram.Start("dotnet", arguments);
        await Program.WaitReadyAsync(Http, new Uri(Address, "-/ready"), TimeSpan.FromSeconds(60));
    }

    /// <summary>Posts a Snappy-compressed remote write 1.0 body.</summary>
    public async Task<HttpResponseMessage> WriteAsync(ReadOnlyMemory<byte> snappyBody, string? tenant = null, CancellationToken cancellation = default)
    {
        using var content = new ReadOnlyMemoryContent(snappyBody);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Address, "api/v1/write")) { Content = content };
        request.Headers.Add("X-Prometheus-Remote-Write-Version", "0.1.0");
        if (tenant is not null)
        {
            request.Headers.Add("X-Scope-OrgID", tenant);
        }

        return await Http.SendAsync(request, cancellation);
    }

    /// <summary>Gets a JSON answer and checks that it says success.</summary>
    public Task<JsonElement> GetAsync(string pathAndQuery, string? tenant = null) => PrometheusApi.GetAsync(Http, new Uri(Address, pathAndQuery), tenant);

    public void Dispose()
    {
        Program.Dispose();
        Http.Dispose();
    }

    private static string FindAssembly()
    {
        // tests/EndToEnd/bin/<configuration>/net10.0 -> src/Gateway/bin/<configuration>/net10.0
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var configuration = output.Parent!.Name;
        var root = output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        var path = Path.Combine(root, "src", "Gateway", "bin", configuration, output.Name, "metrics.dll");
        return File.Exists(path) ? path : throw new FileNotFoundException($"the server is not built for {configuration} on {RuntimeInformation.RuntimeIdentifier}", path);
    }
}
