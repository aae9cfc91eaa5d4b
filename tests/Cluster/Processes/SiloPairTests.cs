using System.Net;
using Metrics.EndToEnd.Programs;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Two senders of the same, each in front of a silo of its own.</summary>
[Collection(SequenceLoad.Collection)]
[Trait("Category", "Processes")]
public sealed class SiloPairTests(ITestOutputHelper log)
{
    private readonly long start = DateTimeOffset.UtcNow.AddMinutes(-10).ToUnixTimeMilliseconds();
    private long sent;

    [Fact]
    public async Task OneReplicaIsStoredWhicheverSilosBothSendToAndTheOtherTakesOver()
    {
        using var lab = await SiloLab.StartAsync(3, 2, "--limits-accept-ha-samples", "true", "--ha-dedup-failover-timeout", "6s", "--ha-dedup-update-interval", "2s");
        try
        {
            await lab.WaitForStatusAsync("three silos", static s => s.GetProperty("silos").GetArrayLength() == 3, TimeSpan.FromSeconds(30));
            Assert.Equal(HttpStatusCode.NoContent, await StoredAsync(lab, 0, "a"));
            for (var i = 0; i < 40; i++)
            {
                Assert.Equal(HttpStatusCode.Accepted, await WriteAsync(lab, 1 + (i % 2), "b"));
                Assert.Equal(HttpStatusCode.NoContent, await StoredAsync(lab, i % 3, "a"));
                await Task.Delay(200);
            }

            // Its sender is gone, and so is a silo, which may be the one that elects.
            lab.Silos[2].Kill();
            Assert.Equal(HttpStatusCode.NoContent, await UntilAsync(lab, 1, "b", HttpStatusCode.NoContent));
            Assert.Equal(HttpStatusCode.Accepted, await UntilAsync(lab, 0, "a", HttpStatusCode.Accepted));
            for (var i = 0; i < 10; i++)
            {
                Assert.Equal(HttpStatusCode.NoContent, await StoredAsync(lab, i % 2, "b"));
                Assert.Equal(HttpStatusCode.Accepted, await WriteAsync(lab, i % 2, "a"));
            }
        }
        catch
        {
            log.WriteLine(lab.Outputs());
            throw;
        }
    }

    /// <summary>Writes again while shards are on their way.</summary>
    private async Task<HttpStatusCode> StoredAsync(SiloLab lab, int silo, string replica)
    {
        var end = DateTime.UtcNow.AddSeconds(60);
        while (true)
        {
            var status = await WriteAsync(lab, silo, replica);
            if (status != HttpStatusCode.ServiceUnavailable || DateTime.UtcNow > end)
            {
                return status;
            }

            await Task.Delay(100);
        }
    }

    private async Task<HttpStatusCode> UntilAsync(SiloLab lab, int silo, string replica, HttpStatusCode wanted)
    {
        var end = DateTime.UtcNow.AddSeconds(60);
        while (true)
        {
            var status = await WriteAsync(lab, silo, replica);
            if (status == wanted || DateTime.UtcNow > end)
            {
                return status;
            }

            await Task.Delay(200);
        }
    }

    private async Task<HttpStatusCode> WriteAsync(SiloLab lab, int silo, string replica)
    {
        var series = RemoteWriteBody.Labels(("__name__", "pair"), ("__replica__", replica), ("cluster", "c"));
        using var answer = await lab.Silos[silo].WriteAsync(lab.Http, RemoteWriteBody.OneSampleEach([series], start + (++sent * 100), sent), CancellationToken.None);
        return answer.StatusCode;
    }
}
