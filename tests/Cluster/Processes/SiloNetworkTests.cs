using System.Net;
using Metrics.EndToEnd.Programs;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Real silo processes on hosts of their own, of which one is cut off from the others.</summary>
[Collection(SequenceLoad.Collection)]
[Trait("Category", Category)]
public sealed class SiloNetworkTests(ITestOutputHelper log) : IDisposable
{
    /// <summary>Needs root, and network namespaces.</summary>
    public const string Category = "NetworkNamespaces";

    private readonly TemporaryDirectory directory = new();

    [Theory]
    [InlineData(3, false)]
    [InlineData(3, true)]
    [InlineData(2, true)]
    public async Task ASiloThatIsCutOffAcknowledgesNothingAndIsWholeAgainAfterwards(int replicationFactor, bool losesTheBucketToo)
    {
        using var network = await CutNetwork.CreateAsync(3);
        for (var n = 0; n < 3; n++)
        {
            await LinkAsync(n);
        }

        using var lab = await SiloLab.StartAsync(3, replicationFactor, n => SiloLab.Folder(WayOf(n)), network.Host);
        var acknowledgedAlone = 0;
        await SequenceLoad.RunAsync(lab, log, async () =>
        {
            // Shards are spread by hash and load: the one to cut off is one that owns some.
            await lab.WaitUntilWholeAsync(replicationFactor);
            var cut = await OwnerAsync(lab);
            var silo = lab.Silos[cut];
            silo.IsServing = false;
            await network.CutAsync(cut);
            if (losesTheBucketToo)
            {
                await UnlinkAsync(cut);
            }

            using var alone = new CancellationTokenSource();
            var writing = WriteAloneAsync(lab, silo, alone.Token);
            await lab.WaitUntilGivenUpAsync();
            await Task.Delay(5000); // Its shards are owned elsewhere now.
            await alone.CancelAsync();
            acknowledgedAlone = await writing;
            await network.HealAsync(cut);
            await LinkAsync(cut);

            await lab.TakeBackAsync(silo);
            await lab.WaitUntilWholeAsync(replicationFactor);
        });

        // What it took in without an acknowledgement may be there or not; nobody was told that it is.
        Assert.Equal(0, acknowledgedAlone);
    }

    public void Dispose() => directory.Dispose();

    /// <summary>A silo that owns a shard.</summary>
    private static async Task<int> OwnerAsync(SiloLab lab)
    {
        var status = await lab.StatusAsync(lab.Silos[0]);
        var owner = SiloLab.OwnersOf(status).First();
        var http = status.GetProperty("silos").EnumerateArray().Single(s => s.GetProperty("node").GetString() == owner).GetProperty("http").GetString();
        return lab.Silos.Index().Single(s => s.Item.Address.Authority == http).Index;
    }

    /// <summary>Writes to a silo that is alone, series that nobody else writes; gives how often it acknowledged.</summary>
    private static async Task<int> WriteAloneAsync(SiloLab lab, SiloProcess silo, CancellationToken stop)
    {
        var series = Enumerable.Range(0, 40).Select(static s => RemoteWriteBody.Labels(("__name__", "alone"), ("instance", $"host-{s}"))).ToArray();
        var acknowledged = 0;
        var timeMs = DateTimeOffset.UtcNow.AddHours(-6).ToUnixTimeMilliseconds(); // As the writers': younger ones that are taken in after all would make theirs too old.
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3));
            try
            {
                using var answer = await silo.WriteAsync(lab.Http, RemoteWriteBody.OneSampleEach(series, timeMs + n, n), patience.Token);
                acknowledged += answer.IsSuccessStatusCode ? 1 : 0;
                Assert.True(answer.IsSuccessStatusCode || answer.StatusCode is HttpStatusCode.ServiceUnavailable, $"{answer.StatusCode}");
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                // It does not know, or ended itself.
            }

            await Task.Delay(200, CancellationToken.None);
        }

        return acknowledged;
    }

    /// <summary>A silo's own way to the folder that all share.</summary>
    private string WayOf(int n) => Path.Combine(Directory.CreateDirectory(directory.Sub($"way{n}")).FullName, "bucket");

    private Task LinkAsync(int n) => PointAsync(n, Directory.CreateDirectory(directory.Sub("shared")).FullName);

    /// <summary>A link that leads to itself: every call fails, as on a file system whose server is away, and nothing looks merely absent.</summary>
    private Task UnlinkAsync(int n) => PointAsync(n, "bucket");

    private async Task PointAsync(int n, string target)
    {
        var (code, output) = await RunningProgram.RunAsync("ln", "-sfnT", target, WayOf(n));
        Assert.True(code == 0, output);
    }
}
