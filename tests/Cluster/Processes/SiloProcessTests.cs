using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Real silo processes on one shared folder, under load, while things happen to them: what was acknowledged is there afterwards, once, and nothing else is.</summary>
[Collection(SequenceLoad.Collection)]
[Trait("Category", "Processes")]
public sealed class SiloProcessTests(ITestOutputHelper log)
{
    [Theory]
    [InlineData(3)]
    [InlineData(2)]
    public async Task KillingOneOfThreeSilosAgainAndAgainLosesNothing(int replicationFactor)
    {
        using var lab = await SiloLab.StartAsync(3, replicationFactor);
        await UnderLoadAsync(lab, async () =>
        {
            for (var kill = 0; kill < 3; kill++)
            {
                var silo = lab.Silos[kill];
                silo.Kill();
                await lab.WaitUntilGivenUpAsync();
                await lab.StartAgainAsync(silo);
                await WaitUntilWholeAsync(lab, replicationFactor); // One at a time is what this factor outlives.
            }
        });
    }

    [Fact]
    public async Task AFrozenOwnerThatWakesUpDoesNoHarm()
    {
        using var lab = await SiloLab.StartAsync(3, 3);
        await UnderLoadAsync(lab, async () =>
        {
            var frozen = lab.Silos[0];
            frozen.Freeze();
            await lab.WaitUntilGivenUpAsync();
            frozen.Thaw();
            await lab.TakeBackAsync(frozen);
            await WaitUntilWholeAsync(lab, 3);
        });
    }

    [Fact]
    public async Task ThreeSilosBecomeFiveAndThreeAgain()
    {
        using var lab = await SiloLab.StartAsync(3, 2, "--cluster-balance-every", "2s");
        await UnderLoadAsync(lab, async () =>
        {
            await lab.AddAsync(2);
            await lab.WaitForStatusAsync("a new silo owns a shard", s => OwnersOf(s).Count() >= 4, TimeSpan.FromSeconds(60));
            foreach (var leaving in lab.Silos.Skip(3))
            {
                Assert.Equal(0, await leaving.TerminateAsync());
            }

            await lab.WaitForStatusAsync("three silos are left", s => s.GetProperty("silos").GetArrayLength() == 3, TimeSpan.FromSeconds(30));
            await WaitUntilWholeAsync(lab, 2);
        });
    }

    [Fact]
    public async Task ARollingRestartHandsOverAndEveryWriteGoesThroughWithinSeconds()
    {
        using var lab = await SiloLab.StartAsync(3, 3);
        await UnderLoadAsync(lab, async () =>
        {
            foreach (var silo in lab.Silos)
            {
                Assert.Equal(0, await silo.TerminateAsync());
                await lab.StartAgainAsync(silo);
                await WaitUntilWholeAsync(lab, 3);
            }
        });
    }

    [Fact]
    public async Task WritesGoOnWithoutTheBucketAndAllSilosKilledAtOnceServeAgainOverTheirDisks()
    {
        using var folder = new TemporaryDirectory();
        var way = folder.Sub("way");
        await PointAsync(way, Directory.CreateDirectory(folder.Sub("bucket")).FullName);
        using var lab = await SiloLab.StartAsync(3, 3, _ => SiloLab.Folder(Path.Combine(way, "shared")), null);
        await SequenceLoad.RunAsync(
            lab, log,
            async longestPause =>
            {
                // A shard that is not open yet can't be opened without the bucket.
                await WaitUntilWholeAsync(lab, 3);

                // Whoever has not written down for three times that it lives is taken for dead by those that join.
                var outage = 4 * SiloProcess.AliveEvery;
                await WithoutAsync(way, folder.Sub("bucket"), outage);
                await Task.Delay(2000);
                Assert.True(longestPause() < outage / 2, $"writes paused for {longestPause()} of {outage} without the bucket");
                foreach (var silo in lab.Silos)
                {
                    silo.Kill();
                }

                await Task.WhenAll(lab.Silos.Select(lab.StartAgainAsync));
                await WaitUntilWholeAsync(lab, 3);
            },
            isAllLost: true);
    }

    [Fact]
    public async Task AGatewayHoldsNothingAndServesAll()
    {
        using var lab = await SiloLab.StartAsync(2, 2);
        using var gateways = await lab.JoinAsync(1, "--role", "gateway");
        var gateway = gateways.Silos[0];
        var writer = new SequenceWriter(gateways, 0);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(3));

        await writer.RunAsync(stop.Token);

        await writer.VerifyAsync();
        // What silos hold reaches a gateway with their next reports.
        await gateways.WaitForStatusAsync("the gateway knows whose all shards are", static s => s.GetProperty("shards").EnumerateArray().Count(static shard => shard.GetProperty("owner").GetString() != "") == 4, TimeSpan.FromSeconds(30));
        var status = await lab.StatusAsync(gateway);
        Assert.Equal(3, status.GetProperty("silos").GetArrayLength());
        Assert.Single(status.GetProperty("silos").EnumerateArray(), static s => s.GetProperty("node").GetString() == "");
    }

    /// <summary>Takes the folder that all share away for a while: every call fails, as on a file system whose server is away, and nothing looks merely absent.</summary>
    private static async Task WithoutAsync(string way, string bucket, TimeSpan forTime)
    {
        await PointAsync(way, Path.GetFileName(way));
        await Task.Delay(forTime);
        await PointAsync(way, bucket);
    }

    private static async Task PointAsync(string way, string target)
    {
        var (code, output) = await RunningProgram.RunAsync("ln", "-sfnT", target, way);
        Assert.True(code == 0, output);
    }

    private Task UnderLoadAsync(SiloLab lab, Func<Task> act) => SequenceLoad.RunAsync(lab, log, act);

    private static Task WaitUntilWholeAsync(SiloLab lab, int replicas) => lab.WaitUntilWholeAsync(replicas);

    private static IEnumerable<string> OwnersOf(JsonElement status) => SiloLab.OwnersOf(status);
}
