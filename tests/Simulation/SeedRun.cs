using System.Collections.Concurrent;
using System.Diagnostics;
using Metrics.Cluster;

namespace Metrics.Simulation;

/// <summary>Many seeds, on all cores; each by itself on one thread.</summary>
internal sealed class SeedRun
{
    private SeedRun(IReadOnlyDictionary<int, SimOutcome> outcomes, TimeSpan elapsed)
    {
        Failed = [.. outcomes.Where(o => o.Value.Violations.Count > 0).OrderBy(o => o.Key).Select(o => (o.Key, o.Value.Violations))];
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var (what, count) in outcomes.Values.SelectMany(o => o.Counts))
        {
            counts[what] = counts.GetValueOrDefault(what) + count;
        }

        Counts = counts;
        Summary = string.Join(
            Environment.NewLine,
            [
                $"{outcomes.Count} seeds in {elapsed.TotalSeconds:F1} s, {outcomes.Values.Sum(o => o.Steps)} steps (at most {outcomes.Values.Max(o => o.Steps)} a seed), {outcomes.Values.Sum(o => (long)o.Acknowledged)} writes acknowledged, {outcomes.Values.Sum(o => (long)o.Comparisons)} times compared with what was readable",
                .. counts.Select(c => $"  {c.Value,9} {c.Key}"),
                .. Failed.Take(10).Select(f => $"FAILED SEED {f.Seed} (SIMULATION_FIRST={f.Seed} SIMULATION_SEEDS=1 dotnet test tests/Simulation): {string.Join("; ", f.Violations.Take(3))}"),
            ]);
    }

    /// <summary>The seeds that failed, and how.</summary>
    public IReadOnlyList<(int Seed, IReadOnlyList<string> Violations)> Failed { get; }

    /// <summary>What happened, how often.</summary>
    public IReadOnlyDictionary<string, long> Counts { get; }

    /// <summary>Figures, and the failed seeds with how to replay them.</summary>
    public string Summary { get; }

    /// <summary>Runs seeds.</summary>
    public static SeedRun Of(IEnumerable<int> seeds, Mutant mutant = Mutant.None, Climate? climate = null, bool? reshards = null)
    {
        var clock = Stopwatch.StartNew();
        var outcomes = new ConcurrentDictionary<int, SimOutcome>();
        Parallel.ForEach(seeds, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, seed => outcomes[seed] = new SimWorld(seed, mutant, climate, reshards).Run());
        return new SeedRun(outcomes, clock.Elapsed);
    }
}
