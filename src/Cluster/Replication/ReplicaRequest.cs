namespace Metrics.Cluster;

/// <summary>What a leader, or who wants to become one, asks of a replica (docs/replication.md, Messages).</summary>
/// <param name="Epoch">The asker's epoch; a replica obeys none lower than it has promised. 0 asks without ruling.</param>
internal abstract record ReplicaRequest(long Epoch);

/// <summary>Promise this epoch, drop what the decided history voids, and say what is left. With epoch 0: only say what is there.</summary>
/// <param name="Epoch">The epoch to promise.</param>
/// <param name="Start">Records before this are needed no more.</param>
/// <param name="History">The history that the manifest has decided.</param>
/// <param name="Join">Not 0 for a replica that is to be a member from <paramref name="JoinAt"/> on and was none: numbers the attempts of an epoch, so that a repeated request is known.</param>
/// <param name="JoinAt">The first record that a joining replica is sent.</param>
/// <param name="WholeAt">Until a joining replica holds the records before this, it may lack acknowledged ones.</param>
internal sealed record BeginRequest(long Epoch, long Start, EpochHistory History, long Join = 0, long JoinAt = 0, long WholeAt = 0) : ReplicaRequest(Epoch);

/// <summary>Take these records in. Again with the same ones: no error, and nothing happens twice.</summary>
/// <param name="Epoch">The leader's epoch.</param>
/// <param name="RecordEpoch">The epoch that wrote the records: all of them one.</param>
/// <param name="PreviousEpoch">The epoch that wrote the record before the first; 0 when the leader's log begins with the first.</param>
/// <param name="First">The number of the first record.</param>
/// <param name="Count">How many they are.</param>
/// <param name="Frames">The records (<see cref="Storage.LogFrames"/>).</param>
/// <param name="Committed">Records before this are acknowledged.</param>
/// <param name="Start">Records before this are needed no more.</param>
/// <param name="IsBehind">True when they belong before those that the replica began with.</param>
internal sealed record AppendRequest(long Epoch, long RecordEpoch, long PreviousEpoch, long First, int Count, ReadOnlyMemory<byte> Frames, long Committed, long Start, bool IsBehind = false)
    : ReplicaRequest(Epoch)
{
    /// <summary>The number after the last record.</summary>
    public long End => First + Count;
}

/// <summary>Send records from one on, all of one epoch.</summary>
/// <param name="From">The first record.</param>
/// <param name="MaxBytes">About how many bytes.</param>
internal sealed record ReadRequest(long From, int MaxBytes) : ReplicaRequest(0);

/// <summary>How a replica took a request.</summary>
internal enum ReplicaStatus : byte
{
    /// <summary>Done, and durable.</summary>
    Done = 0,

    /// <summary>A higher epoch was promised; nothing was done.</summary>
    Fenced = 1,

    /// <summary>The records do not follow what the replica holds; nothing was done.</summary>
    Gap = 2,

    /// <summary>The replica once held records that it has lost; it takes none until it joins anew.</summary>
    Damaged = 3,

    /// <summary>The replica does not hold the records asked for.</summary>
    Absent = 4,

    /// <summary>The disk refused; what was done is open.</summary>
    Failed = 5,
}

/// <summary>A replica's answer.</summary>
internal sealed record ReplicaAnswer
{
    /// <summary>How the request was taken.</summary>
    public required ReplicaStatus Status { get; init; }

    /// <summary>The highest epoch promised.</summary>
    public long Promised { get; init; }

    /// <summary>The records held: from <see cref="First"/> until before <see cref="Next"/>.</summary>
    public long First { get; init; }

    /// <summary>The number after the last record held.</summary>
    public long Next { get; init; }

    /// <summary>Older records held with a gap before <see cref="First"/>: from here until before <see cref="BehindNext"/>.</summary>
    public long BehindFirst { get; init; }

    /// <summary>The number after the last of the older records; equal to <see cref="BehindFirst"/> when there are none.</summary>
    public long BehindNext { get; init; }

    /// <summary>Records before this are known to be acknowledged; a lower bound.</summary>
    public long Committed { get; init; }

    /// <summary>The replica has lost records, and what it says of the log's end means nothing before it holds all records before this; 0 when it has lost none.</summary>
    public long WholeAt { get; init; }

    /// <summary>True when the replica has lost records and has not joined anew.</summary>
    public bool IsDamaged => WholeAt == ReplicaState.Damaged;

    /// <summary>True when the replica can be believed about the log's end: each record that it acknowledged is there.</summary>
    public bool IsWhole => Next >= WholeAt;

    /// <summary>Which epoch wrote the records from <see cref="First"/> on; answers to <see cref="BeginRequest"/> have it.</summary>
    public EpochHistory History { get; init; } = EpochHistory.Empty;

    /// <summary>The records read.</summary>
    public ReadOnlyMemory<byte> Frames { get; init; }

    /// <summary>The epoch that wrote the records read.</summary>
    public long FramesEpoch { get; init; }

    /// <summary>How many records were read.</summary>
    public int FramesCount { get; init; }
}
