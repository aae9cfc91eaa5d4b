using System.Diagnostics;
using System.Text.Json;

namespace Metrics.SideBySide;

/// <summary>How soon a server is back after kill -9: until it says so, and until it counts the series that it counted before.</summary>
internal static class RestartPart
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static async Task RunAsync(Server server, ChurningScrapes data, Settings settings, Figures figures)
    {
        var count = $"api/v1/query?query={Uri.EscapeDataString("count({__name__=~\"kubelet_.+\"})")}&time={data.DueMs(settings.Scrapes - 1) / 1000 + 1}&nocache=1";
        var before = await CountAsync(server, count);
        var clock = Stopwatch.StartNew();
        server.KillAndStart();
        await server.WaitReadyAsync();
        var ready = clock.Elapsed.TotalSeconds;
        while (await CountAsync(server, count) != before)
        {
            if (clock.Elapsed > Patience)
            {
                Console.Error.WriteLine($"{server.Name} counts {await CountAsync(server, count)} series after kill -9, {before} before");
                break;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }

        figures.Add(server.Name, "ready after kill -9, s", ready, "F2");
        figures.Add(server.Name, "first right count after kill -9, s", clock.Elapsed > Patience ? double.NaN : clock.Elapsed.TotalSeconds, "F2");
        figures.Add(server.Name, "RSS after restart, MiB", ProcessMeter.ResidentMib(server.ProcessId), "N0");
    }

    private static async Task<string> CountAsync(Server server, string query)
    {
        using var answer = JsonDocument.Parse(await server.GetAsync(query));
        var result = answer.RootElement.GetProperty("data").GetProperty("result");
        return result.GetArrayLength() == 0 ? "0" : result[0].GetProperty("value")[1].GetString()!;
    }
}
