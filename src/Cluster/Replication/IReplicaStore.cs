namespace Metrics.Cluster;

/// <summary>What a replica keeps beside its records; replaced as a whole, durably.</summary>
/// <param name="Promised">The highest epoch promised.</param>
/// <param name="History">Which epoch wrote the records.</param>
/// <param name="BehindHistory">Which epoch wrote the records behind the gap.</param>
/// <param name="Committed">Records before this were acknowledged; a lower bound.</param>
/// <param name="JoinedEpoch">The epoch in which the replica joined last.</param>
/// <param name="Joined">The attempt of that epoch.</param>
/// <param name="WholeAt">Records were found lost; <see cref="Damaged"/> until the replica joins anew, then the record before which it must hold all to be believed again.</param>
internal sealed record ReplicaState(long Promised, EpochHistory History, EpochHistory BehindHistory, long Committed, long JoinedEpoch, long Joined, long WholeAt)
{
    /// <summary>Stands in <see cref="WholeAt"/> for a replica that has not joined anew.</summary>
    public const long Damaged = long.MaxValue / 4;

    /// <summary>True when records are lost and the replica has not joined anew.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsDamaged => WholeAt == Damaged;

    /// <summary>The state of a replica that nobody has spoken to.</summary>
    public static ReplicaState New { get; } = new(0, EpochHistory.Empty, EpochHistory.Empty, 0, 0, 0, 0);
}

/// <summary>Keeps the records and the state of one replica. Calls come one at a time.</summary>
/// <remarks>
/// Two runs of records: the log, to which is appended, and behind it, when a replica joined late, older records that are still being copied. When these reach the log's first record, the two
/// are one. Every call is durable when it completes, appended records as the fsync policy says, and so is all that an opening finds; after a crash in a call, all of it, none, or a part of its records are there.
/// </remarks>
/// <exception cref="IOException">The disk refused; the outcome is open, and the store is opened again before it is used.</exception>
internal interface IReplicaStore : IAsyncDisposable
{
    /// <summary>The state as last saved.</summary>
    ReplicaState State { get; }

    /// <summary>The log's first record.</summary>
    long First { get; }

    /// <summary>The number after the log's last record.</summary>
    long Next { get; }

    /// <summary>The first record behind.</summary>
    long BehindFirst { get; }

    /// <summary>The number after the last record behind; equal to the first when there is none.</summary>
    long BehindNext { get; }

    /// <summary>True when records that were durable once were found missing or wrong at this opening or an earlier one, since the log was begun (<see cref="BeginAtAsync"/>).</summary>
    bool OpenedDamaged { get; }

    /// <summary>Replaces the state.</summary>
    ValueTask SaveAsync(ReplicaState state);

    /// <summary>Appends checked frames at <see cref="Next"/>, or behind at <see cref="BehindNext"/>; behind the first ones may begin anywhere before <see cref="First"/>.</summary>
    /// <remarks>Those behind must not pass <see cref="First"/>; when they reach it, they become part of the log.</remarks>
    ValueTask AppendAsync(long first, int count, ReadOnlyMemory<byte> frames, bool behind);

    /// <summary>Drops the log's records from one on, which is not before <see cref="First"/>.</summary>
    ValueTask TruncateFromAsync(long number);

    /// <summary>Drops what is held and begins the log at a record.</summary>
    /// <param name="first">The record.</param>
    /// <param name="keepBehind">Keeps the log, which ends before the record, as what is behind.</param>
    ValueTask BeginAtAsync(long first, bool keepBehind);

    /// <summary>May drop records before one, if there is a gain in it.</summary>
    ValueTask DropBeforeAsync(long number);

    /// <summary>Reads records, those behind too: at least one if it is there, then as many as fit.</summary>
    /// <exception cref="InvalidDataException">The bytes on disk are not those that were written.</exception>
    ValueTask<(ReadOnlyMemory<byte> Frames, int Count)> ReadAsync(long from, int maxBytes);

    /// <summary>Closes the files, synced, and gives memory back until they are needed again; everything goes on working.</summary>
    ValueTask RestAsync();
}
