namespace Metrics.Simulation;

/// <summary>Which kinds of faults a world leans to. A third of the seeds have one of the special ones.</summary>
internal enum Climate
{
    /// <summary>Any kinds, drawn by the seed.</summary>
    Mixed,

    /// <summary>Owners that do not know of each other, restarts in between, and a bucket that is silent about what it did.</summary>
    Duels,

    /// <summary>Disks that are lost and records that rot, as soon as the manifests say that all is whole again.</summary>
    Losses,
}
