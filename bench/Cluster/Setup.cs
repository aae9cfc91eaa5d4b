namespace Metrics.ClusterBench;

/// <summary>What takes the load.</summary>
/// <param name="Name">What tables call it.</param>
/// <param name="Silos">Silo processes; 0 for the single process.</param>
/// <param name="ReplicationFactor">Logs that hold each record.</param>
internal sealed record Setup(string Name, int Silos, int ReplicationFactor)
{
    /// <summary>All there are. One silo alone shows what grains and the replicated log cost without a hop; three with one replica what a hop does; then one replica more each.</summary>
    public static IReadOnlyList<Setup> All { get; } =
    [
        new("process", 0, 1),
        new("silo", 1, 1),
        new("silos-rf1", 3, 1),
        new("silos-rf2", 3, 2),
        new("silos-rf3", 3, 3),
    ];
}
