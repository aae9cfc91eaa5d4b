namespace Metrics.Storage;

/// <summary>When a log record counts as durable.</summary>
public enum FsyncPolicy
{
    /// <summary>When the kernel has it; the file is synced every <see cref="LogOptions.FsyncInterval"/>. A process may die, a power cut costs at most the interval.</summary>
    Interval,

    /// <summary>When it is synced; records that wait together share one sync.</summary>
    Always,

    /// <summary>When the kernel has it; syncing is left to the kernel.</summary>
    Never,
}

/// <summary>How a log writes.</summary>
public sealed record LogOptions
{
    /// <summary>When records count as durable.</summary>
    public FsyncPolicy Fsync { get; init; } = FsyncPolicy.Interval;

    /// <summary>How often a file is synced under <see cref="FsyncPolicy.Interval"/>.</summary>
    public TimeSpan FsyncInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>A segment that has grown to this is followed by a new one. Segments are what truncation drops; 128 MiB is Prometheus's size.</summary>
    public long SegmentBytes { get; init; } = 128L * 1024 * 1024;
}

/// <summary>Is shown the records of a log, in order.</summary>
public interface ILogVisitor
{
    /// <summary>Takes one record, borrowed for the call.</summary>
    /// <param name="number">Its number; records are numbered from 0 without gaps in the life of a log.</param>
    /// <param name="payload">Its bytes.</param>
    /// <param name="position">Bytes of the log read so far, this record included.</param>
    void Visit(long number, ReadOnlySpan<byte> payload, long position);
}
