using System.Diagnostics;
using System.Text.Json;
using Metrics.Testing;

namespace Metrics.Rules.Tests.Fakes;

/// <summary>A real <c>prometheus-alertmanager</c> on a free port of loopback.</summary>
internal sealed class RealAlertmanager : IAsyncDisposable
{
    private readonly DirectoryInfo directory;
    private readonly Process process;

    private RealAlertmanager(DirectoryInfo directory, Process process, string address, HttpClient http)
    {
        this.directory = directory;
        this.process = process;
        Address = address;
        Http = http;
    }

    /// <summary>Host and port.</summary>
    public string Address { get; }

    /// <summary>A client that may ask it.</summary>
    public HttpClient Http { get; }

    /// <summary>Starts one and waits until it is ready.</summary>
    /// <param name="configuration">Its configuration file.</param>
    /// <param name="webConfiguration">Its web configuration (TLS, basic authentication), or null for none.</param>
    /// <param name="client">The client that may ask it, without address; null for a plain one.</param>
    public static async Task<RealAlertmanager> StartAsync(string configuration, string? webConfiguration = null, HttpClient? client = null)
    {
        var folder = Directory.CreateTempSubdirectory("rules-am-");
        var at = $"127.0.0.1:{FreePorts.Next()}";
        var config = Path.Combine(folder.FullName, "am.yml");
        await File.WriteAllTextAsync(config, configuration);
        List<string> arguments = [$"--config.file={config}", $"--storage.path={folder.FullName}", $"--web.listen-address={at}", "--cluster.listen-address="];
        if (webConfiguration is not null)
        {
            var web = Path.Combine(folder.FullName, "web.yml");
            await File.WriteAllTextAsync(web, webConfiguration);
            arguments.Add($"--web.config.file={web}");
        }

        var asks = client ?? new HttpClient();
        asks.BaseAddress = new Uri($"{(webConfiguration is null ? "http" : "https")}://{at}");
        var started = new RealAlertmanager(folder, Start("prometheus-alertmanager", arguments), at, asks);
        await UntilAsync(async () => (await asks.GetAsync("/-/ready")).IsSuccessStatusCode);
        return started;
    }

    /// <summary>The names of the alerts it has, ascending.</summary>
    public async Task<IReadOnlyList<string>> AlertsAsync()
    {
        using var alerts = JsonDocument.Parse(await Http.GetStringAsync("/api/v2/alerts"));
        return [.. alerts.RootElement.EnumerateArray().Select(a => a.GetProperty("labels").GetProperty("alertname").GetString()!).Order(StringComparer.Ordinal)];
    }

    /// <summary>Waits until a condition holds; one that cannot be asked yet does not.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var patience = Stopwatch.StartNew();
        while (patience.Elapsed < TimeSpan.FromSeconds(60))
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }

        throw new TimeoutException("the Alertmanager did not come to the expected state");
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        Http.Dispose();
        directory.Delete(recursive: true);
    }

    private static Process Start(string program, IEnumerable<string> arguments)
    {
        try
        {
            var running = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true })!;
            running.BeginErrorReadLine();
            running.BeginOutputReadLine();
            return running;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException($"{program} is not installed: run 'apt-get install prometheus-alertmanager' (Debian) first", e);
        }
    }
}
