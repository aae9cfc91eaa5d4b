using System.Globalization;
using System.Text;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>What a real Prometheus or VictoriaMetrics has comes into a tenant of our running server, and is the same there.</summary>
[Trait("Category", "Peers")]
public sealed class MigrationTests : IDisposable
{
    private const long Start = 1_700_006_400; // On a boundary of two hours.

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task BlocksOfPrometheusAreUploaded()
    {
        var data = PrometheusData();
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        var (code, said) = await RunAsync("tsdb", "upload", data, "--url", ours.Address.ToString(), "--tenant", "team");
        Assert.True(code == 0, said);
        Assert.Matches("[0-9A-Z]{26}: uploaded\n", said);
        Assert.Contains(" blocks are in tenant team\n", said);
        await AssertIsThereAsync(ours);
        (code, said) = await RunAsync("tsdb", "upload", data, "--url", ours.Address.ToString(), "--tenant", "team");
        Assert.True(code == 0, said);
        Assert.DoesNotContain(": uploaded", said);

        // They outlive the server.
        Assert.Equal(0, await ours.Program.TerminateAsync(TimeSpan.FromSeconds(30)));
        await ours.StartAgainAsync();
        await AssertIsThereAsync(ours);
    }

    [Fact]
    public async Task APrometheusIsReadByRemoteRead()
    {
        var data = PrometheusData();
        var port = FreePorts.Next();
        var configuration = directory.Sub("prometheus.yml");
        await File.WriteAllTextAsync(configuration, "global: {}\n");
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        using var prometheus = RunningProgram.Start("prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=100y", $"--web.listen-address=127.0.0.1:{port}");
        await prometheus.WaitReadyAsync(ours.Http, new Uri($"http://127.0.0.1:{port}/-/ready"), TimeSpan.FromSeconds(30));
        await MigrateAsync(ours, "remote-read", $"http://127.0.0.1:{port}");
        await AssertIsThereAsync(ours);
    }

    [Fact]
    public async Task AVictoriaMetricsIsExported()
    {
        var port = FreePorts.Next();
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        using var victoria = RunningProgram.Start("victoria-metrics", $"-storageDataPath={directory.Sub("vm")}", $"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y");
        await victoria.WaitReadyAsync(ours.Http, new Uri($"http://127.0.0.1:{port}/health"), TimeSpan.FromSeconds(30));
        using (var body = new StringContent(OpenMetrics(milliseconds: true)))
        using (var imported = await ours.Http.PostAsync(new Uri($"http://127.0.0.1:{port}/api/v1/import/prometheus"), body))
        {
            Assert.True(imported.IsSuccessStatusCode);
        }

        await ours.Http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/internal/force_flush"));
        await MigrateAsync(ours, "victoria-metrics", $"http://127.0.0.1:{port}");
        await AssertIsThereAsync(ours);
    }

    [Fact]
    public async Task WhatCanNotBeReachedOrIsRefusedIsSaid()
    {
        var (code, said) = await RunAsync("migrate", "remote-read", "--from", "http://127.0.0.1:1", "--tenant", "t", "--start", "0", "--end", "1");
        Assert.Equal(1, code);
        Assert.Contains("stopped after 0 samples: http://127.0.0.1:1/", said);
        (code, said) = await RunAsync("migrate", "victoria-metrics", "--from", "ftp://x", "--tenant", "t", "--start", "0");
        Assert.Equal(2, code);
        Assert.Contains("--from ftp://x; allowed is a URL", said);
        (code, said) = await RunAsync("migrate", "victoria-metrics", "--from", "http://127.0.0.1:1", "--tenant", "t/u", "--start", "0");
        Assert.Equal(2, code);
        Assert.Contains("--tenant: ", said);
    }

    private async Task MigrateAsync(MetricsServer to, string kind, string from)
    {
        var (code, said) = await RunAsync(
            "migrate", kind, "--from", from, "--url", to.Address.ToString(), "--tenant", "team", "--start", $"{Start - 7200}", "--end", $"{Start + (4 * 3600)}", "--match", "{__name__=~'temperature|ups?'}", "--temp-dir", directory.Sub(""));
        Assert.True(code == 0, said);
        Assert.Contains("2023-11-15 00:00:00Z to 2023-11-15 01:59:59Z: 41 series, 4920 samples\n", said);
        Assert.Contains("\n7380 samples\n", said);
    }

    /// <summary>41 series with a sample a minute for three hours; of one the value is no number now and then.</summary>
    private static string OpenMetrics(bool milliseconds)
    {
        var text = new StringBuilder("# TYPE temperature gauge\n");
        for (var series = 0; series <= 40; series++)
        {
            for (var i = 0; i < 180; i++)
            {
                text.Append(series == 40 ? "temperature{room=\"odd\"} " : $"temperature{{room=\"{series}\",floor=\"{series % 3}\"}} ");
                text.Append(series == 40 && i % 7 == 0 ? "+Inf" : ((series * 1000) + i + 0.25).ToString(CultureInfo.InvariantCulture)).Append(' ').Append(Start + (i * 60)).Append(milliseconds ? "000\n" : "\n");
            }
        }

        return text.Append(milliseconds ? "" : "# EOF\n").ToString();
    }

    private string PrometheusData()
    {
        var (input, data) = (directory.Sub("input.txt"), directory.Sub("prometheus"));
        File.WriteAllText(input, OpenMetrics(milliseconds: false));
        Promtool.Run("tsdb", "create-blocks-from", "openmetrics", input, data);
        return data;
    }

    private static async Task AssertIsThereAsync(MetricsServer ours)
    {
        foreach (var (query, at, want) in new[]
        {
            ("sum(count_over_time(temperature[3h]))", Start + (180 * 60) - 1, "7380"),
            ("count(temperature)", Start, "41"),
            ("temperature{room=\"7\"}", Start + 3600, "7060.25"),
            ("temperature{room=\"odd\"}", Start + (7 * 60), "+Inf"),
            ("sum by (floor) (temperature{floor=\"2\"})", Start + 60, $"{Enumerable.Range(0, 40).Where(static s => s % 3 == 2).Sum(static s => (s * 1000) + 1.25)}"),
        })
        {
            var answer = await ours.GetAsync($"api/v1/query?query={Uri.EscapeDataString(query)}&time={at}", "team");
            Assert.Equal(want, answer.GetProperty("data").GetProperty("result")[0].GetProperty("value")[1].GetString());
        }

        Assert.Empty((await ours.GetAsync("api/v1/series?match[]=temperature&start=0", "default")).GetProperty("data").EnumerateArray());
    }

    private static Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) => RunningProgram.RunAsync("dotnet", [MetricsServer.AssemblyPath, .. arguments]);
}
