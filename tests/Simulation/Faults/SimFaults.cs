namespace Metrics.Simulation;

/// <summary>How bad the world is at the moment, what has happened in it so far, and what should not have.</summary>
internal sealed class SimFaults(SimProcess world)
{
    /// <summary>What belongs to no process: the wires, the bucket's servers.</summary>
    public SimProcess World => world;

    /// <summary>The share of messages that are lost.</summary>
    public double Loss { get; set; }

    /// <summary>The share that arrives twice.</summary>
    public double Duplication { get; set; }

    /// <summary>The share that is late by up to seconds.</summary>
    public double Lateness { get; set; }

    /// <summary>The longest that a disk operation takes when it does not stall.</summary>
    public TimeSpan DiskLatency { get; init; }

    /// <summary>The share of disk operations that fail.</summary>
    public double DiskErrors { get; set; }

    /// <summary>The share of disk operations that take up to a second.</summary>
    public double DiskStalls { get; set; }

    /// <summary>The share of calls to the bucket that fail without effect.</summary>
    public double BucketErrors { get; set; }

    /// <summary>The share of puts whose outcome the caller does not learn: done, not done, or done later.</summary>
    public double BucketDoubts { get; set; }

    /// <summary>True while no call to the bucket succeeds.</summary>
    public bool BucketIsAway { get; set; }

    /// <summary>How often what has happened.</summary>
    public SortedDictionary<string, long> Counts { get; } = new(StringComparer.Ordinal);

    /// <summary>What must not happen and did.</summary>
    public List<string> Violations { get; } = [];

    /// <summary>Notes something that happened.</summary>
    public void Count(string what, bool happened = true)
    {
        if (happened)
        {
            Counts[what] = Counts.GetValueOrDefault(what) + 1;
        }
    }

    /// <summary>Notes something that must not happen.</summary>
    public void Violate(string what) => Violations.Add(what);

    /// <summary>The world is good again.</summary>
    public void Heal()
    {
        (Loss, Duplication, Lateness, DiskErrors, DiskStalls, BucketErrors, BucketDoubts) = (0, 0, 0, 0, 0, 0, 0);
        BucketIsAway = false;
    }
}
