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

    [Theory]
    [InlineData("ingester/shutdown", HttpStatusCode.NoContent)]
    [InlineData("-/quit", HttpStatusCode.OK)]
    public async Task TheProgramEndsWithZeroWhenItIsAskedToOverHttp(string path, HttpStatusCode answered)
    {
        using var directory = new TemporaryDirectory();
        using var server = await MetricsServer.StartAsync(directory.Sub("data"));
        using (var written = await WriteAsync(server))
        {
            Assert.Equal(HttpStatusCode.NoContent, written.StatusCode);
        }

        using var answer = await server.Http.PostAsync(new Uri(server.Address, path), null);
        Assert.Equal(answered, answer.StatusCode);
        Assert.Equal(0, await server.Program.EndAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(path == "ingester/shutdown", HasBlocks(server));
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task WhatWasPreparedHasAllInObjectStorageAfterASignal()
    {
        using var directory = new TemporaryDirectory();
        using var server = await MetricsServer.StartAsync(directory.Sub("data"));
        using (await WriteAsync(server))
        using (await server.Http.PostAsync(new Uri(server.Address, "ingester/prepare-downscale"), null))
        {
            Assert.False(HasBlocks(server));
        }

        Assert.Equal(0, await server.Program.TerminateAsync(TimeSpan.FromSeconds(30)));
        Assert.True(HasBlocks(server));
        await AssertServesAsync(server);
        Assert.Equal("set\n", await server.Http.GetStringAsync(new Uri(server.Address, "ingester/prepare-downscale")));
    }

    private static Task<HttpResponseMessage> WriteAsync(MetricsServer server) =>
        server.WriteAsync(RemoteWriteBody.OneSampleEach([RemoteWriteBody.Labels(("__name__", "stop_test"))], DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), 1));

    private static async Task AssertServesAsync(MetricsServer server)
    {
        await server.StartAgainAsync();
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0;
        Assert.Single(PrometheusApi.Points(await PrometheusApi.QueryAsync(server.Http, server.Address, "count_over_time(stop_test[2h])", now)));
    }

    private static bool HasBlocks(MetricsServer server) =>
        Directory.EnumerateFiles(Path.Combine(server.DataDirectory, "bucket"), "index", SearchOption.AllDirectories).Any();
}
