using Metrics.Cluster;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Simulation;

/// <summary>The protocol with one rule broken: the simulation has to notice, or it proves nothing about the protocol with none broken.</summary>
public sealed class MutantTests(ITestOutputHelper output)
{
    /// <summary>How many seeds a mutant may survive.</summary>
    private const int MostSeeds = 2048;

    private const int SeedsAtOnce = 32;

    /// <summary>Mutants that show only when more than one thing is lost soon after another.</summary>
    private static readonly Mutant[] shownByLosses =
        [Mutant.CollapsesWithoutCatchUp, Mutant.CountsNewEnsembleAtOnce, Mutant.ForgetsPromise, Mutant.HidesDamage, Mutant.OpensBeforeReplicating];

    /// <summary>Mutants of splits and merges.</summary>
    private static readonly Mutant[] shownBySplits = [Mutant.SplitsUnsealedShards, Mutant.SwapsMapBeforeChildren, Mutant.OpensSealedShards, Mutant.RemovesSharedBlocks];

    public static TheoryData<string> Mutants => [.. Enum.GetNames<Mutant>().Where(m => m != nameof(Mutant.None))];

    [Theory]
    [MemberData(nameof(Mutants))]
    public void ABrokenRuleIsNoticed(string name)
    {
        var mutant = Enum.Parse<Mutant>(name);
        Climate? climate = shownByLosses.Contains(mutant) ? Climate.Losses : null;
        for (var first = 1; first <= MostSeeds; first += SeedsAtOnce)
        {
            if (SeedRun.Of(Enumerable.Range(first, SeedsAtOnce), mutant, climate, shownBySplits.Contains(mutant) ? true : null).Failed is [var caught, ..])
            {
                output.WriteLine($"{name} is caught by seed {caught.Seed}: {caught.Violations[0]}");
                return;
            }
        }

        Assert.Fail($"{name} survives {MostSeeds} seeds");
    }
}
