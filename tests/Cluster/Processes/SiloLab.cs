using System.Text.Json;
using Metrics.EndToEnd.Programs;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Silos on this machine that share a folder, or a bucket.</summary>
internal sealed class SiloLab : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly List<SiloProcess> silos = [];
    private readonly Func<int, string> objectStore;
    private readonly Func<int, SiloHost> hosts;
    private readonly string[] arguments;

    private SiloLab(Func<int, string>? objectStore, Func<int, SiloHost>? hosts, string[] arguments)
    {
        var bucket = directory.Sub("bucket");
        this.objectStore = objectStore ?? (_ => Folder(bucket));
        this.hosts = hosts ?? (static _ => SiloHost.Here);
        this.arguments = arguments;
    }

    public HttpClient Http { get; } = new() { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>The silos, running or not.</summary>
    public IReadOnlyList<SiloProcess> Silos => silos;

    /// <summary>Starts silos; returns when all take part.</summary>
    public static Task<SiloLab> StartAsync(int count, int replicationFactor, params string[] arguments) => StartAsync(count, replicationFactor, null, null, arguments);

    /// <summary>Starts silos on object storage and hosts that depend on the silo's number; null for a folder, and for this host.</summary>
    public static Task<SiloLab> StartAsync(int count, int replicationFactor, Func<int, string>? objectStore, Func<int, SiloHost>? hosts, params string[] arguments)
    {
        string[] probe = arguments.Contains("--cluster-probe-timeout", StringComparer.Ordinal) ? [] : ["--cluster-probe-timeout", "1s"];
        return WithAsync(new SiloLab(objectStore, hosts, ["--cluster-replication-factor", $"{replicationFactor}", "--cluster-report-every", "1s", .. probe, "--storage-shards-per-tenant", "4", .. arguments]), count);
    }

    /// <summary>A folder as object storage.</summary>
    public static string Folder(string path) => $"{{type: FILESYSTEM, config: {{directory: \"{path}\"}}}}";

    /// <summary>Starts silos of other settings in the same cluster.</summary>
    public Task<SiloLab> JoinAsync(int count, params string[] otherArguments) => WithAsync(new SiloLab(objectStore, hosts, [.. arguments, .. otherArguments]), count);

    /// <summary>Starts more silos.</summary>
    public Task AddAsync(int count) => AddAsync(Enumerable.Repeat(Array.Empty<string>(), count));

    /// <summary>Starts more silos at the same time, each with arguments that others have not.</summary>
    public async Task AddAsync(IEnumerable<string[]> own)
    {
        var added = own.Select((o, i) => new SiloProcess(objectStore(silos.Count + i), directory.Sub($"silo{silos.Count + i}"), hosts(silos.Count + i), [.. arguments, .. o])).ToList();
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

    /// <summary>A silo that serves, the n-th of those that do; any, when none does.</summary>
    public SiloProcess Serving(int n)
    {
        var serving = silos.Where(static s => s.IsServing).ToList();
        return serving.Count > 0 ? serving[n % serving.Count] : silos[n % silos.Count];
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

            await Task.Delay(200);
        }
        while (DateTime.UtcNow < end);
        throw new TimeoutException($"{what}: not within {patience}; the cluster is {last}");
    }

    /// <summary>Waits until every shard is open and has its replicas.</summary>
    public Task WaitUntilWholeAsync(int replicas) => WaitForStatusAsync(
        $"every shard is open and has {replicas} replicas",
        s => s.GetProperty("shards").GetArrayLength() == 4 && s.GetProperty("shards").EnumerateArray().All(shard => shard.GetProperty("state").GetString() == "Open"
            && shard.GetProperty("replicas").EnumerateArray().Count(static r => r.GetProperty("whole").GetBoolean() && !r.TryGetProperty("lost", out _)) >= replicas),
        TimeSpan.FromSeconds(60));

    /// <summary>Waits until those that serve have given up one that does not.</summary>
    public Task WaitUntilGivenUpAsync() => WaitForStatusAsync("one silo is given up", s => s.GetProperty("silos").GetArrayLength() == silos.Count - 1, TimeSpan.FromSeconds(60));

    /// <summary>
    /// Takes back a silo that was given up: it ends itself when it hears so, from the others or with its next look at the membership table, and this starts it again, as whatever runs silos does.
    /// </summary>
    public async Task TakeBackAsync(SiloProcess silo)
    {
        await WaitForStatusAsync("the silo that was given up ends itself", _ => silo.Program.HasExited, TimeSpan.FromSeconds(60));
        await StartAgainAsync(silo);
    }

    /// <summary>The nodes that own a shard.</summary>
    public static IEnumerable<string> OwnersOf(JsonElement status) => status.GetProperty("shards").EnumerateArray().Select(static s => s.GetProperty("owner").GetString()!).Where(static o => o.Length > 0).Distinct();

    /// <summary>What every silo wrote last, and all failures that none of them expected, for messages of failed tests.</summary>
    public string Outputs()
    {
        var last = silos.Select(static (s, n) => $"--- silo {n}\n{string.Join('\n', s.Program.Output.Split('\n').TakeLast(60).Select(static l => l.Length > 300 ? l[..300] : l))}");
        var failures = silos.SelectMany(static (s, n) => s.Runs.SelectMany(static r => r.Output.Split('\n')).Where(static l => l.Contains("fail: Metrics.", StringComparison.Ordinal)).Select(l => $"silo {n}: {l}"));
        return string.Join('\n', [.. last, "--- failures", .. failures]);
    }

    public void Dispose()
    {
        foreach (var silo in silos)
        {
            silo.Dispose();
        }

        Http.Dispose();
        directory.Dispose();
    }

    private static async Task<SiloLab> WithAsync(SiloLab lab, int count)
    {
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
}
