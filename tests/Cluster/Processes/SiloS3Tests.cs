using Metrics.ObjectStore.Tests;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Real silo processes on a real S3 server: membership, manifests and blocks are in its bucket, and nothing is shared besides.</summary>
[Trait("Category", CephServer.Category)]
public sealed class SiloS3Tests(CephServer ceph, ITestOutputHelper log) : IClassFixture<CephServer>
{
    [Fact]
    public async Task KillingAndFreezingOneOfThreeSilosUnderWritesLosesNothing()
    {
        using var lab = await SiloLab.StartAsync(3, 3, _ => Bucket("killed"), null);
        await SequenceLoad.RunAsync(lab, log, async () =>
        {
            var silo = lab.Silos[1];
            silo.Kill();
            await lab.WaitUntilGivenUpAsync();
            await lab.StartAgainAsync(silo);
            await lab.WaitUntilWholeAsync(3);

            var frozen = lab.Silos[2];
            frozen.Freeze();
            await lab.WaitUntilGivenUpAsync();
            frozen.Thaw();
            await lab.TakeBackAsync(frozen);
            await lab.WaitUntilWholeAsync(3);
        });
    }

    [Fact]
    public async Task ARollingRestartUnderWritesLosesNothing()
    {
        using var lab = await SiloLab.StartAsync(3, 3, _ => Bucket("rolling"), null);
        await SequenceLoad.RunAsync(lab, log, async () =>
        {
            foreach (var silo in lab.Silos)
            {
                Assert.Equal(0, await silo.TerminateAsync());
                await lab.StartAgainAsync(silo);
                await lab.WaitUntilWholeAsync(3);
            }
        });
    }

    [Fact]
    public async Task BlocksOfAClusterOutliveAllItsDisks()
    {
        int acknowledged;
        SequenceWriter writer;
        using (var lab = await SiloLab.StartAsync(3, 2, _ => Bucket("outlived"), null))
        {
            writer = new SequenceWriter(lab, 0);
            using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(3));
            await writer.RunAsync(stop.Token);
            acknowledged = writer.Acknowledged;
            using var flushed = await lab.Http.PostAsync(new Uri(lab.Silos[0].Address, "ingester/flush?wait=true&tenant=default"), null);
            Assert.True(flushed.IsSuccessStatusCode, await flushed.Content.ReadAsStringAsync());
            foreach (var silo in lab.Silos)
            {
                silo.Kill();
            }
        }

        // Other machines with empty disks, on the same bucket; the logs that manifests name are given up.
        using var others = await SiloLab.StartAsync(2, 2, _ => Bucket("outlived"), null, "--cluster-abandon-lost-logs", "true", "--cluster-log-grace", "5s");
        log.WriteLine($"{acknowledged} batches");
        await writer.VerifyAsync(others);
    }

    private string Bucket(string prefix) =>
        $"{{type: S3, config: {{bucket: {ceph.Bucket}, endpoint: \"{ceph.Endpoint}\", access_key: {CephServer.AccessKey}, secret_key: {CephServer.SecretKey}, insecure: true}}, prefix: {prefix}}}";
}
