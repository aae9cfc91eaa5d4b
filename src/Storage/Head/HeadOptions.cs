namespace Metrics.Storage;

/// <summary>How a head seals chunks and what it takes.</summary>
public sealed record HeadOptions
{
    /// <summary>Samples in a full chunk. 120 is Prometheus's: half an hour of 15-second scrapes, past which XOR gains little.</summary>
    public int ChunkSamples { get; init; } = 120;

    /// <summary>Chunks do not cross multiples of this, milliseconds, so that a block takes whole chunks. The span of the first blocks: two hours.</summary>
    public long BlockRangeMs { get; init; } = 2 * 60 * 60 * 1000;

    /// <summary>How much older than the newest sample of the head a sample may be and still be taken out of order, milliseconds; 0 takes none.</summary>
    public long OutOfOrderWindowMs { get; init; }
}

/// <summary>What became of a sample.</summary>
public enum AppendOutcome : byte
{
    /// <summary>It is in the head now, and belongs into the log.</summary>
    Added,

    /// <summary>The very same sample was there: a retry. Nothing changed.</summary>
    AlreadyThere,

    /// <summary>Older than the newest of its series, and no window is open.</summary>
    OutOfOrder,

    /// <summary>Older than the window, or than what the head still covers.</summary>
    TooOld,

    /// <summary>The series has another value at this instant.</summary>
    DuplicateTimestamp,
}
