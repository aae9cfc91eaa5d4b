using System.Diagnostics;
using System.Net;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.EndToEnd;

/// <summary>A disk that fills up under a running program: it answers 503, serves what it has, and goes on by itself when there is room again.</summary>
public sealed class FullDiskTests(ITestOutputHelper output)
{
    private const int SeriesCount = 2000;
    private readonly Labels[] series = [.. Enumerable.Range(0, SeriesCount).Select(i => RemoteWriteBody.Labels(("__name__", "full_disk"), ("i", $"{i}")))];

    [Fact]
    public async Task NothingAcknowledgedIsLostAndWritesGoOnWhenThereIsRoomAgain()
    {
        using var directory = new TemporaryDirectory();
        var disk = directory.Sub("disk");
        Directory.CreateDirectory(disk);
        if (!Environment.IsPrivilegedProcess || !OperatingSystem.IsLinux())
        {
            output.WriteLine("left out: only root may mount a small disk");
            return;
        }

        Run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk);
        try
        {
            var filler = Path.Combine(disk, "filler");
            await File.WriteAllBytesAsync(filler, new byte[10 * 1024 * 1024]);
            using var server = await MetricsServer.StartAsync(Path.Combine(disk, "data"));
            var start = DateTimeOffset.UtcNow.AddMinutes(-30).ToUnixTimeMilliseconds();
            var acknowledged = 0;
            HttpStatusCode status;
            string text;
            do
            {
                (status, text) = await WriteAsync(server, start + acknowledged, acknowledged);
                acknowledged += status == HttpStatusCode.NoContent ? 1 : 0;
            }
            while (status == HttpStatusCode.NoContent && acknowledged < 5000);

            output.WriteLine($"{acknowledged} scrapes of {SeriesCount} series acknowledged, then {(int)status}: {text}");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
            Assert.Contains("space", text, StringComparison.OrdinalIgnoreCase);
            Assert.True(acknowledged > 20);

            // Full, and asked again and again: still 503, and all that was acknowledged is served.
            for (var i = 0; i < 5; i++)
            {
                Assert.Equal(HttpStatusCode.ServiceUnavailable, (await WriteAsync(server, start + acknowledged, acknowledged)).Status);
            }

            await AssertServedAsync(server, start, acknowledged);

            // As an operator would: room is made, and nothing else is done.
            File.Delete(filler);
            var waited = Stopwatch.StartNew();
            while ((await WriteAsync(server, start + acknowledged, acknowledged)).Status != HttpStatusCode.NoContent)
            {
                Assert.True(waited.Elapsed < TimeSpan.FromSeconds(60), "there is room, but writes are still refused");
                await Task.Delay(200);
            }

            acknowledged++;
            output.WriteLine($"writes again after {waited.Elapsed.TotalSeconds:F1} s");
            await AssertServedAsync(server, start, acknowledged);
            server.Program.Kill();
            await server.StartAgainAsync();
            await AssertServedAsync(server, start, acknowledged);
        }
        finally
        {
            Run("umount", "--lazy", disk);
        }
    }

    private async Task<(HttpStatusCode Status, string Text)> WriteAsync(MetricsServer server, long timeMs, double value)
    {
        using var answer = await server.WriteAsync(RemoteWriteBody.OneSampleEach(series, timeMs, value));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Each series has the acknowledged samples, each once; one more that was never acknowledged may be there, in the shards that took it.</summary>
    private static async Task AssertServedAsync(MetricsServer server, long start, int acknowledged)
    {
        // Values are 0, 1, 2, ... and so give themselves away: both their number and their sum must be right.
        foreach (var (query, least, most) in new[]
        {
            ("count(full_disk)", SeriesCount, (double)SeriesCount),
            ("min(count_over_time(full_disk[1h]))", acknowledged, acknowledged + 1.0),
            ("max(count_over_time(full_disk[1h]))", acknowledged, acknowledged + 1.0),
            ("min(sum_over_time(full_disk[1h]))", acknowledged * (acknowledged - 1.0) / 2, acknowledged * (acknowledged + 1.0) / 2),
            ("max(sum_over_time(full_disk[1h]))", acknowledged * (acknowledged - 1.0) / 2, acknowledged * (acknowledged + 1.0) / 2),
        })
        {
            var found = PrometheusApi.Points(await PrometheusApi.QueryAsync(server.Http, server.Address, query, (start + acknowledged) / 1000.0));
            Assert.InRange(found[""][0].Value, least, most);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
