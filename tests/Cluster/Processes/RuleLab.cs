using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Silos with one rule file and a receiver of alerts; knows from the silos' logs which of them evaluated which group at which tick.</summary>
internal sealed partial class RuleLab : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly HttpListener receiver = new();
    private readonly List<JsonElement> received = [];
    private readonly Task receiving;

    private RuleLab(TimeSpan interval, int port)
    {
        Interval = interval;
        receiver.Prefixes.Add($"http://127.0.0.1:{port}/");
        receiver.Start();
        receiving = ReceiveAsync();
    }

    /// <summary>The distance of ticks.</summary>
    public TimeSpan Interval { get; }

    public SiloLab Silos { get; private set; } = null!;

    /// <summary>Every alert that was sent, in the order in which they came.</summary>
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

    /// <summary>Starts silos with groups that record the time, and a first one with an alert that holds always.</summary>
    public static async Task<RuleLab> StartAsync(int silos, int groups, TimeSpan interval, TimeSpan alertFor, params string[] arguments)
    {
        var port = FreePorts.Next();
        var lab = new RuleLab(interval, port);
        try
        {
            var rules = lab.directory.Sub("rules.yml");
            var seconds = (int)interval.TotalSeconds;
            await File.WriteAllTextAsync(rules, $"groups:\n- {{name: alerts, interval: {seconds}s, rules: [{{alert: Held, expr: vector(1), for: {(int)alertFor.TotalSeconds}s}}]}}\n"
                + string.Concat(Enumerable.Range(0, groups).Select(g => $"- {{name: g{g}, interval: {seconds}s, rules: [{{record: 'ticks:g{g}', expr: time()}}]}}\n")));
            lab.Silos = await SiloLab.StartAsync(silos, Math.Min(silos, 3), ["--rules-files", rules, "--rules-alertmanagers", $"http://127.0.0.1:{port}", "--telemetry-log-level", "debug", .. arguments]);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Every evaluation of a group that any silo logged; a silo that was killed may have kept its very last to itself.</summary>
    public ILookup<string, (SiloProcess Silo, long TickMs, DateTimeOffset LoggedAt)> Evaluations() => Silos.Silos
        .SelectMany(silo => Outputs(silo).SelectMany(static o => Evaluated().Matches(o)).Select(m => (Group: m.Groups["group"].Value, Evaluation: (silo, long.Parse(m.Groups["tick"].Value, CultureInfo.InvariantCulture),
            DateTimeOffset.Parse(m.Groups["at"].Value, CultureInfo.InvariantCulture)))))
        .ToLookup(static e => e.Group, static e => e.Evaluation);

    /// <summary>The silo that evaluated a group last, and at which tick.</summary>
    public (SiloProcess Silo, long TickMs, DateTimeOffset LoggedAt) LastOf(string group) => Evaluations()[group].OrderBy(static e => e.TickMs).LastOrDefault();

    /// <summary>Waits until a group has been evaluated at a later tick; gives the evaluation.</summary>
    public async Task<(SiloProcess Silo, long TickMs, DateTimeOffset LoggedAt)> EvaluatedAfterAsync(string group, long tickMs, TimeSpan patience)
    {
        var end = DateTime.UtcNow + patience;
        while (true)
        {
            if (Evaluations()[group].Where(e => e.TickMs > tickMs).OrderBy(static e => e.TickMs).FirstOrDefault() is { Silo: not null } found)
            {
                return found;
            }

            if (DateTime.UtcNow > end)
            {
                throw new TimeoutException($"{group} was not evaluated after {tickMs} within {patience}\n{Silos.Outputs()}");
            }

            await Task.Delay(50);
        }
    }

    /// <summary>The alert as any silo shows it, or null when there is none.</summary>
    public async Task<JsonElement?> AlertAsync()
    {
        var alerts = (await Silos.GetAsync("api/v1/alerts", TimeSpan.FromSeconds(30))).GetProperty("data").GetProperty("alerts");
        return alerts.GetArrayLength() == 0 ? null : alerts.EnumerateArray().Single();
    }

    /// <summary>The names of the groups that a silo shows.</summary>
    public async Task<IReadOnlyList<string>> GroupsShownByAsync(SiloProcess silo) =>
        [.. (await PrometheusApi.GetAsync(Silos.Http, new Uri(silo.Address, "api/v1/rules"))).GetProperty("data").GetProperty("groups").EnumerateArray().Select(static g => g.GetProperty("name").GetString()!)];

    public async ValueTask DisposeAsync()
    {
        Silos?.Dispose();
        receiver.Stop();
        await receiving;
        receiver.Close();
        directory.Dispose();
    }

    private static IEnumerable<string> Outputs(SiloProcess silo) => silo.Runs.Select(static r => r.Output);

    private async Task ReceiveAsync()
    {
        while (receiver.IsListening)
        {
            HttpListenerContext request;
            try
            {
                request = await receiver.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            using var body = await JsonDocument.ParseAsync(request.Request.InputStream);
            lock (received)
            {
                received.AddRange(body.RootElement.EnumerateArray().Select(static a => a.Clone()));
            }

            request.Response.StatusCode = 200;
            request.Response.Close();
        }
    }

    [GeneratedRegex(@"^(?<at>\S+Z) .*, group [^;]*;(?<group>\S+): evaluated at (?<tick>\d+)", RegexOptions.Multiline | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Evaluated();
}
