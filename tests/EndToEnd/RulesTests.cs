using System.Globalization;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>Rules in the server as users run it: with a real Alertmanager, and killed in the middle of pending and firing.</summary>
[Trait("Category", "Peers")]
public sealed class RulesTests : IDisposable
{
    private const string Rules = """
        groups:
        - name: g
          interval: 1s
          rules:
          - {record: t, expr: time()}
          - {alert: Firing, expr: t > 0, for: 2s, labels: {severity: page}, annotations: {summary: it is on}}
          - {alert: Pending, expr: t > 0, for: 1h}
        """;

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task AlertsOutliveAKillAndAreNotSentAnew()
    {
        var port = FreePorts.Next();
        using var alertmanager = await StartAlertmanagerAsync(port);
        using var ours = await StartServerAsync(port, "--rules-external-url", "http://metrics.example");

        await UntilAsync(async () => (await AlertmanagerAsync(ours.Http, port)).Count == 1);
        var sent = (await AlertmanagerAsync(ours.Http, port)).Single();
        Assert.Equal("Firing page it is on http://metrics.example/graph?g0.expr=t+%3E+0&g0.tab=1", sent.Text);
        var before = await AlertsAsync(ours);
        Assert.Equal(["Firing firing", "Pending pending"], before.Select(a => a.Text).Order());

        ours.Program.Kill();
        await ours.StartAgainAsync();
        var killed = DateTimeOffset.UtcNow;
        await UntilAsync(async () => (await AlertsAsync(ours)).Count == 2);
        Assert.Equal(before.Order(), (await AlertsAsync(ours)).Order());

        // Five ticks later: the same alert, since the same time, and sent no second time as a new one.
        await UntilAsync(async () => await CountAsync(ours, "count_over_time(t[1h])") >= (killed - sent.StartsAt).TotalSeconds + 5);
        Assert.Equal([sent], await AlertmanagerAsync(ours.Http, port));
        Assert.Equal(before.Order(), (await AlertsAsync(ours)).Order());

        // Every tick once: values of time() that stand at their own instant, none twice, and a gap only while nobody was there.
        var first = await CountAsync(ours, "min_over_time(t[1h])");
        var last = await CountAsync(ours, "max_over_time(t[1h])");
        var ticks = await CountAsync(ours, "count_over_time(t[1h])");
        Assert.Equal(0, await CountAsync(ours, "max_over_time((timestamp(t) - t)[1h:1s])"));
        Assert.InRange(ticks, 1, last - first + 1);
    }

    /// <summary>What is sent again is the same alert to the Alertmanager, so that a silence for it holds.</summary>
    [Fact]
    public async Task AmtoolShowsAndSilencesWhatFires()
    {
        var port = FreePorts.Next();
        using var alertmanager = await StartAlertmanagerAsync(port);
        using var ours = await StartServerAsync(port, "--rules-resend-delay", "1s");
        var url = $"--alertmanager.url=http://127.0.0.1:{port}";
        await UntilAsync(() => Task.FromResult(Alerts("alert", "query", "severity=page").Count == 1));
        Assert.Equal(["Firing page it is on active"], Alerts("alert", "query"));

        Amtool.Run("silence", "add", url, "--comment=test", "--duration=1h", "alertname=Firing", "severity=page");
        await UntilAsync(() => Task.FromResult(Alerts("alert", "query").Count == 0));
        var ticks = await CountAsync(ours, "count_over_time(t[1h])");
        await UntilAsync(async () => await CountAsync(ours, "count_over_time(t[1h])") >= ticks + 3);
        Assert.Empty(Alerts("alert", "query"));
        Assert.Equal(["Firing page it is on suppressed"], Alerts("alert", "query", "--silenced"));

        List<string> Alerts(params string[] command)
        {
            using var alerts = JsonDocument.Parse(Amtool.Run([.. command, url, "--output=json"]));
            return [.. alerts.RootElement.EnumerateArray().Select(a => string.Join(' ', a.GetProperty("labels").GetProperty("alertname").GetString(), a.GetProperty("labels").GetProperty("severity").GetString(),
                a.GetProperty("annotations").GetProperty("summary").GetString(), a.GetProperty("status").GetProperty("state").GetString()))];
        }
    }

    private async Task<MetricsServer> StartServerAsync(int alertmanagerPort, params string[] options)
    {
        var rules = directory.Sub("rules.yml");
        await File.WriteAllTextAsync(rules, Rules);
        return await MetricsServer.StartAsync(directory.Sub("ours"), ["--rules-files", rules, "--rules-alertmanagers", $"http://127.0.0.1:{alertmanagerPort}", .. options]);
    }

    private async Task<RunningProgram> StartAlertmanagerAsync(int port)
    {
        var configuration = directory.Sub("am.yml");
        await File.WriteAllTextAsync(configuration, "route: {receiver: none}\nreceivers: [{name: none}]\n");
        var alertmanager = RunningProgram.Start(
            "prometheus-alertmanager", $"--config.file={configuration}", $"--storage.path={directory.Sub("am")}", $"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=");
        using var http = new HttpClient();
        await alertmanager.WaitReadyAsync(http, new Uri($"http://127.0.0.1:{port}/-/ready"), TimeSpan.FromSeconds(30));
        return alertmanager;
    }

    private static async Task<List<(string Text, string ActiveAt)>> AlertsAsync(MetricsServer server) =>
        [.. (await server.GetAsync("api/v1/alerts")).GetProperty("data").GetProperty("alerts").EnumerateArray()
            .Select(a => ($"{a.GetProperty("labels").GetProperty("alertname").GetString()} {a.GetProperty("state").GetString()}", a.GetProperty("activeAt").GetString()!))];

    private static async Task<List<(string Text, DateTimeOffset StartsAt)>> AlertmanagerAsync(HttpClient http, int port)
    {
        using var alerts = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/api/v2/alerts")));
        return [.. alerts.RootElement.EnumerateArray().Select(a => (
            string.Join(' ', a.GetProperty("labels").GetProperty("alertname").GetString(), a.GetProperty("labels").GetProperty("severity").GetString(),
                a.GetProperty("annotations").GetProperty("summary").GetString(), a.GetProperty("generatorURL").GetString()),
            a.GetProperty("startsAt").GetDateTimeOffset()))];
    }

    private static async Task<double> CountAsync(MetricsServer server, string query)
    {
        var result = (await server.GetAsync("api/v1/query?query=" + Uri.EscapeDataString(query))).GetProperty("data").GetProperty("result");
        return result.GetArrayLength() == 0 ? 0 : double.Parse(result[0].GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), patience.Token);
        }
    }
}
