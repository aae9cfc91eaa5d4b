namespace Metrics.Cluster;

/// <summary>One silo as the membership table has it: a row. Immutable.</summary>
/// <remarks>What the fields mean to each other is the membership protocol's business; the table only keeps them.</remarks>
public sealed record Member
{
    /// <summary>Host, port and generation: names one run of a silo, and no other one.</summary>
    public required string Address { get; init; }

    /// <summary>The silo's name, which its next run has too.</summary>
    public string Name { get; init; } = "";

    /// <summary>What the others believe of it.</summary>
    public MemberStatus Status { get; init; }

    /// <summary>Who found it silent, and when.</summary>
    public IReadOnlyList<Suspicion> Suspicions { get; init; } = [];

    /// <summary>The machine's name.</summary>
    public string HostName { get; init; } = "";

    /// <summary>The port for clients that are no silos; 0 for none.</summary>
    public int ClientPort { get; init; }

    /// <summary>The program, as the host calls it.</summary>
    public string Role { get; init; } = "";

    /// <summary>The host's update zone; 0 where it has none.</summary>
    public int UpdateZone { get; init; }

    /// <summary>The host's fault zone; 0 where it has none.</summary>
    public int FaultZone { get; init; }

    /// <summary>When this run began.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>When it last said that it lives: the row's own, or its heartbeat's when that is later.</summary>
    public DateTimeOffset AliveAt { get; init; }

    /// <inheritdoc/>
    public bool Equals(Member? other) =>
        other is not null && Address == other.Address && Name == other.Name && Status == other.Status && Suspicions.SequenceEqual(other.Suspicions) && HostName == other.HostName
        && ClientPort == other.ClientPort && Role == other.Role && UpdateZone == other.UpdateZone && FaultZone == other.FaultZone && StartedAt == other.StartedAt && AliveAt == other.AliveAt;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Address, Status, AliveAt);
}

/// <summary>One silo's word that another is silent.</summary>
/// <param name="By">Whose.</param>
/// <param name="At">When.</param>
public readonly record struct Suspicion(string By, DateTimeOffset At);

/// <summary>The life of a silo, in order. The numbers are part of the stored format.</summary>
public enum MemberStatus
{
    /// <summary>Nothing is known.</summary>
    None = 0,

    /// <summary>It has a row.</summary>
    Created = 1,

    /// <summary>It is being checked by the others.</summary>
    Joining = 2,

    /// <summary>It takes part.</summary>
    Active = 3,

    /// <summary>It leaves in order.</summary>
    ShuttingDown = 4,

    /// <summary>It leaves at once.</summary>
    Stopping = 5,

    /// <summary>It is gone, or has to be.</summary>
    Dead = 6,
}
