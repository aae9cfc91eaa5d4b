using System.Text.Json;
using Metrics.EndToEnd.Programs;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Silos on this machine that share a folder.</summary>
internal sealed class SiloLab : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly List<SiloProcess> silos = [];
    private readonly string bucket;
    private readonly string[] arguments;

    private SiloLab(string? bucket, string[] arguments)
    {
        this.bucket = bucket ?? directory.Sub("bucket");
        this.arguments = arguments;
    }

    public HttpClient Http { get; } = new() { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>The silos, running or not.</summary>
    public IReadOnlyList<SiloProcess> Silos => silos;

    /// <summary>Starts silos; returns when all take part.</summary>
    public static async Task<SiloLab> StartAsync(int count, int replicationFactor, params string[] arguments)
    {
        string[] probe = arguments.Contains("--cluster-probe-timeout", StringComparer.Ordinal) ? [] : ["--cluster-probe-timeout", "1s"];
        var lab = new SiloLab(null, ["--cluster-replication-factor", $"{replicationFactor}", .. probe, "--storage-shards-per-tenant", "4", .. arguments]);
        try
        {
            await lab.AddAsync(count);
            return lab;
        }
        catch
        {
            lab.Dispose();
            throw;
        }
    }

    /// <summary>Starts silos of other settings in the same cluster.</summary>
    public async Task<SiloLab> JoinAsync(int count, params string[] otherArguments)
    {
        var lab = new SiloLab(bucket, [.. arguments, .. otherArguments]);
        try
        {
            await lab.AddAsync(count);
            return lab;
        }
        catch
        {
            lab.Dispose();
            throw;
        }
    }

    /// <summary>Starts more silos.</summary>
    public async Task AddAsync(int count)
    {
        var added = Enumerable.Range(silos.Count, count).Select(n => new SiloProcess(bucket, directory.Sub($"silo{n}"), arguments)).ToList();
        silos.AddRange(added);
        foreach (var silo in added)
        {
            silo.Start();
        }

        foreach (var silo in added)
        {
            await silo.WaitReadyAsync(Http);
        }
    }

    /// <summary>Starts one again over its data.</summary>
    public async Task StartAgainAsync(SiloProcess silo)
    {
        silo.Start();
        await silo.WaitReadyAsync(Http);
    }

    /// <summary>A silo that serves, the n-th of those that do.</summary>
    public SiloProcess Serving(int n)
    {
        var serving = silos.Where(static s => s.IsServing).ToList();
        return serving[n % serving.Count];
    }

    /// <summary>Gets a JSON answer from any silo that serves; tries again while shards are on their way elsewhere.</summary>
    public async Task<JsonElement> GetAsync(string pathAndQuery, TimeSpan patience)
    {
        var end = DateTime.UtcNow + patience;
        for (var n = 0; ; n++)
        {
            try
            {
                return await PrometheusApi.GetAsync(Http, new Uri(Serving(n).Address, pathAndQuery));
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException && DateTime.UtcNow < end)
            {
                await Task.Delay(200);
            }
        }
    }

    /// <summary>The cluster as a silo shows it.</summary>
    public async Task<JsonElement> StatusAsync(SiloProcess of) => (await PrometheusApi.GetAsync(Http, new Uri(of.Address, "api/v1/status/cluster"))).GetProperty("data");

    /// <summary>Waits until a silo shows the cluster as wanted.</summary>
    public async Task WaitForStatusAsync(string what, Func<JsonElement, bool> wanted, TimeSpan patience)
    {
        var end = DateTime.UtcNow + patience;
        JsonElement last;
        do
        {
            last = await StatusAsync(Serving(0));
            if (wanted(last))
            {
                return;
            }

            await Task.Delay(500);
        }
        while (DateTime.UtcNow < end);
        throw new TimeoutException($"{what}: not within {patience}; the cluster is {last}");
    }

    /// <summary>What every silo wrote, for messages of failed tests.</summary>
    public string Outputs() => string.Join("\n", silos.Select(static (s, n) => $"--- silo {n}\n{string.Join('\n', s.Program.Output.Split('\n').TakeLast(60).Select(static l => l.Length > 300 ? l[..300] : l))}"));

    public void Dispose()
    {
        foreach (var silo in silos)
        {
            silo.Dispose();
        }

        Http.Dispose();
        directory.Dispose();
    }
}
