using System.Net;
using Metrics.EndToEnd.Programs;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>SIGTERM under load: requests in flight are answered, everything acknowledged is on disk, and the program ends with 0.</summary>
public sealed class StopTests
{
    [Fact]
    public async Task TerminatingUnderLoadDrainsFlushesAndEndsWithZero()
    {
        using var directory = new TemporaryDirectory();
        using var server = await MetricsServer.StartAsync(directory.Sub("data"));
        var labels = RemoteWriteBody.Labels(("__name__", "stop_test"));
        var start = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds();
        var acknowledged = 0;
        var writer = Task.Run(async () =>
        {
            try
            {
                while (true)
                {
                    using var answer = await server.WriteAsync(RemoteWriteBody.OneSampleEach([labels], start + acknowledged, acknowledged));
                    if (answer.StatusCode != HttpStatusCode.NoContent)
                    {
                        return;
                    }

                    acknowledged++;
                }
            }
            catch (HttpRequestException)
            {
                // The server is gone, as it should.
            }
        });

        while (Volatile.Read(ref acknowledged) < 500)
        {
            await Task.Delay(10);
        }

        Assert.Equal(0, await server.Program.TerminateAsync(TimeSpan.FromSeconds(30)));
        await writer;
        await server.StartAgainAsync();
        var found = PrometheusApi.Points(await PrometheusApi.QueryAsync(server.Http, server.Address, "count_over_time(stop_test[2h])", (start / 1000.0) + 3600));
        Assert.InRange(found[""][0].Value, acknowledged, acknowledged + 1);
    }
}
