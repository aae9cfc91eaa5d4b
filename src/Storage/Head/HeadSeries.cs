using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>One series of a head.</summary>
/// <remarks>
/// The writer alone writes. Readers take a <see cref="SeriesSnapshot"/>: <see cref="Version"/> is odd while chunks are sealed, moved or dropped, and a reader that met a change tries
/// again. A plain append changes nothing but bits behind the published <see cref="OpenCount"/>, and then that count.
/// <code>
///   Sealed ──► [newest] ──► [the one before] ──► ...     SealedCount immutable chunks, in the arena or in files
///   Open   ──► count | first | dod xor | dod xor | ...   OpenCount samples published
/// </code>
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct HeadSeries
{
    // Identity; set before the reference is published, never changed.
    public ulong Hash;
    public nint LabelPairs;
    public int LabelCount;
    public bool IsAlive;

    // Published to readers under Version.
    public uint Version;
    public long Sealed; // A link; see SealedChunk.
    public int SealedCount;
    public long SealedMinMs; // The oldest sample in them.
    public nint Open;
    public int OpenCapacity;
    public int OpenCount;
    public long OpenMinMs;
    public bool HasOutOfOrder; // Or histograms: samples beside the float chunks.

    // The writer's own.
    public bool HasNewest;
    public long OpenEndMs;
    public XorAppender Appender;
}

/// <summary>What a reader may see of one series.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct SeriesSnapshot(uint reference, in HeadSeries series)
{
    /// <summary>Chunks up to which their list lies on the stack: hours of 15-second scrapes.</summary>
    public const int UsualChunks = 64;

    private readonly nint open = series.Open;
    private readonly int openCapacity = series.OpenCapacity;

    public uint Reference { get; } = reference;

    public long Sealed { get; } = series.Sealed;

    public int SealedCount { get; } = series.SealedCount;

    public long SealedMinMs { get; } = series.SealedMinMs;

    public int OpenCount { get; } = series.Open == 0 ? 0 : Volatile.Read(in series.OpenCount);

    public long OpenMinMs { get; } = series.OpenMinMs;

    public bool HasOutOfOrder { get; } = series.HasOutOfOrder;

    public unsafe ReadOnlySpan<byte> Open => new((void*)open, openCapacity);

    public bool IsEmpty => SealedCount == 0 && OpenCount == 0 && !HasOutOfOrder;
}
