using System.Diagnostics;
using System.Text.Json;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Real silo processes on one shared folder, under load, while things happen to them: what was acknowledged is there afterwards, once, and nothing else is.</summary>
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
                await Task.Delay(TimeSpan.FromSeconds(6));
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
            await Task.Delay(TimeSpan.FromSeconds(12));
            frozen.Thaw();
            await Task.Delay(TimeSpan.FromSeconds(5));

            // It was declared dead meanwhile, and ends itself when it hears so; whatever runs silos starts it again.
            if (frozen.Program.HasExited)
            {
                log.WriteLine("the frozen silo heard that it is dead, and ended");
                await lab.StartAgainAsync(frozen);
            }

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
        var longest = await UnderLoadAsync(lab, async () =>
        {
            foreach (var silo in lab.Silos)
            {
                Assert.Equal(0, await silo.TerminateAsync());
                await lab.StartAgainAsync(silo);
                await WaitUntilWholeAsync(lab, 3);
            }
        });
        Assert.True(longest < TimeSpan.FromSeconds(15), $"writes paused for {longest}");
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
        await gateways.WaitForStatusAsync("the gateway knows all shards", static s => s.GetProperty("shards").GetArrayLength() == 4, TimeSpan.FromSeconds(30));
        var status = await lab.StatusAsync(gateway);
        Assert.Equal(3, status.GetProperty("silos").GetArrayLength());
        Assert.Single(status.GetProperty("silos").EnumerateArray(), static s => s.GetProperty("node").GetString() == "");
        Assert.DoesNotContain("", OwnersOf(status));
    }

    /// <summary>Runs writers while something happens; then checks every sample.</summary>
    /// <returns>The longest time for which a writer got nothing through.</returns>
    private async Task<TimeSpan> UnderLoadAsync(SiloLab lab, Func<Task> act)
    {
        try
        {
            var writers = Enumerable.Range(0, 3).Select(w => new SequenceWriter(lab, w)).ToList();
            using var stop = new CancellationTokenSource();
            var clock = Stopwatch.StartNew();
            var writing = Task.WhenAll(writers.Select(w => Task.Run(() => w.RunAsync(stop.Token))));
            try
            {
                await Task.WhenAny(Task.Delay(2000), writing);
                await act();
            }
            finally
            {
                await stop.CancelAsync();
            }

            await writing;
            foreach (var writer in writers)
            {
                Assert.True(writer.Acknowledged > 10, "a writer got nothing through");
                await writer.VerifyAsync();
            }

            var longest = writers.Max(static w => w.LongestPause);
            log.WriteLine($"{writers.Sum(static w => w.Acknowledged)} batches acknowledged in {clock.Elapsed.TotalSeconds:F0} s, {writers.Sum(static w => w.Failed)} sent again; the longest pause of a writer was {longest.TotalSeconds:F1} s");
            return longest;
        }
        catch
        {
            log.WriteLine(lab.Outputs());
            throw;
        }
    }

    private static Task WaitUntilWholeAsync(SiloLab lab, int replicas) => lab.WaitForStatusAsync(
        $"every shard is open and has {replicas} replicas",
        s => s.GetProperty("shards").GetArrayLength() == 4 && s.GetProperty("shards").EnumerateArray().All(shard => shard.GetProperty("state").GetString() == "Open"
            && shard.GetProperty("replicas").EnumerateArray().Count(static r => r.GetProperty("whole").GetBoolean() && !r.TryGetProperty("lost", out _)) >= replicas),
        TimeSpan.FromSeconds(60));

    private static IEnumerable<string> OwnersOf(JsonElement status) => status.GetProperty("shards").EnumerateArray().Select(static s => s.GetProperty("owner").GetString()!).Distinct();
}
