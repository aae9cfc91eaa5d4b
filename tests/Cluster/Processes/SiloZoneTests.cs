using System.Text.Json;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Silos in three zones, of which a whole one is lost.</summary>
[Collection(SequenceLoad.Collection)]
[Trait("Category", "Processes")]
public sealed class SiloZoneTests(ITestOutputHelper log)
{
    private const string Gone = "gone";

    private static readonly string[] zones = ["eu-1a", "eu-1b", "eu-1c"];

    [Theory]
    [InlineData(3)]
    [InlineData(2)]
    public async Task AZoneIsLostUnderLoadAndNothingIsLostWithIt(int replicationFactor)
    {
        using var lab = await SiloLab.StartAsync(0, replicationFactor);
        await lab.AddAsync(zones.SelectMany(static zone => Enumerable.Repeat<string[]>(["--zone", zone], 2)));

        await SequenceLoad.RunAsync(lab, log, async () =>
        {
            await lab.WaitUntilWholeAsync(replicationFactor);
            var before = await lab.StatusAsync(lab.Serving(0));
            Assert.All(ZonesOfReplicas(before), z => Assert.Equal(replicationFactor, z.Distinct().Count()));

            // The zone in which most shards have their owners.
            var lost = OwnersZones(before).GroupBy(static z => z).MaxBy(static g => g.Count())!.Key;
            var gone = Array.IndexOf(zones, lost) * 2;
            log.WriteLine($"{OwnersZones(before).Count(z => z == lost)} of 4 shards are owned in {lost}, which is lost now");
            lab.Silos[gone].Kill();
            lab.Silos[gone + 1].Kill();
            // What a silo shows is some seconds old, and may show the lost ones as whole for so long.
            await lab.WaitForStatusAsync(
                "the zone is given up, and its replicas are in the two that are left",
                s => s.GetProperty("silos").GetArrayLength() == 4 && s.GetProperty("shards").GetArrayLength() == 4 && ZonesOfReplicas(s).All(z => !z.Contains(Gone) && z.Distinct().Count() == 2),
                TimeSpan.FromSeconds(60));
            await lab.WaitUntilWholeAsync(replicationFactor);

            // It comes back, and with it the spread over zones: else the loss of another one would be too much.
            await Task.WhenAll(lab.StartAgainAsync(lab.Silos[gone]), lab.StartAgainAsync(lab.Silos[gone + 1]));
            await lab.WaitForStatusAsync(
                "replicas are in as many zones as before",
                s => s.GetProperty("shards").GetArrayLength() == 4 && ZonesOfReplicas(s).All(z => z.Distinct().Count() == replicationFactor),
                TimeSpan.FromSeconds(90));
            await lab.WaitUntilWholeAsync(replicationFactor);
        });
    }

    private static IEnumerable<string> OwnersZones(JsonElement status) => status.GetProperty("shards").EnumerateArray().Select(s => ZoneOf(status, s.GetProperty("owner").GetString()!));

    private static IEnumerable<List<string>> ZonesOfReplicas(JsonElement status) =>
        status.GetProperty("shards").EnumerateArray().Select(s => s.GetProperty("replicas").EnumerateArray().Select(r => ZoneOf(status, r.GetProperty("node").GetString()!)).ToList());

    private static string ZoneOf(JsonElement status, string node) =>
        status.GetProperty("silos").EnumerateArray().Where(s => s.GetProperty("node").GetString() == node).Select(static s => s.GetProperty("zone").GetString()!).FirstOrDefault(Gone);
}
