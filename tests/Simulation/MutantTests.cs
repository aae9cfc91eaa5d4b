using Metrics.Cluster;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Simulation;

/// <summary>The protocol with one rule broken: the simulation has to notice, or it proves nothing about the protocol with none broken.</summary>
public sealed class MutantTests(ITestOutputHelper output)
{
    /// <summary>How many seeds a mutant may survive.</summary>
    private const int MostSeeds = 400;

    public static TheoryData<string> Mutants => [.. Enum.GetNames<Mutant>().Where(m => m != nameof(Mutant.None))];

    [Theory]
    [MemberData(nameof(Mutants))]
    public void ABrokenRuleIsNoticed(string name)
    {
        var most = int.Parse(Environment.GetEnvironmentVariable("SIMULATION_RATE") ?? "0");
        if (most > 0)
        {
            var run = SeedRun.Of(Enumerable.Range(1, most), Enum.Parse<Mutant>(name), Enum.TryParse<Climate>(Environment.GetEnvironmentVariable("SIMULATION_CLIMATE"), out var c) ? c : null);
            output.WriteLine($"RATE {name} {run.Failed.Count} of {most}: first {(run.Failed.Count > 0 ? run.Failed[0].Seed : 0)} {run.Failed.SelectMany(f => f.Violations).FirstOrDefault()}");
            return;
        }

        var mutant = Enum.Parse<Mutant>(name);
        for (var seed = 1; seed <= MostSeeds; seed++)
        {
            if (new SimWorld(seed, mutant).Run().Violations is [var first, ..])
            {
                output.WriteLine($"{name} is caught by seed {seed}: {first}");
                return;
            }
        }

        Assert.Fail($"{name} survives {MostSeeds} seeds");
    }
}
