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
    public nint Labels; // Number of the shape, then the symbol of each value; 0 where there is no series.

    // Published to readers under Version.
    public uint Version;
    public long Sealed; // A link; see SealedChunk.
    public ushort SealedCount;
    public long SealedMinMs; // The oldest sample in them.
    public uint Open; // The first block of the open chunk, 0 when there is none.
    public ushort OpenCount;
    public long OpenMinMs;
    public bool HasOutOfOrder; // Or histograms: samples beside the float chunks.

    // The writer's own.
    public bool HasNewest;
    public uint OpenLast; // The block that is written to.
    public ushort OpenLimit; // Samples after which the open chunk is sealed.
    public XorAppender Appender;
}

/// <summary>What a reader may see of one series.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct SeriesSnapshot(uint reference, in HeadSeries series)
{
    /// <summary>Chunks up to which their list lies on the stack: hours of 15-second scrapes.</summary>
    public const int UsualChunks = 64;


    public uint Reference { get; } = reference;

    public long Sealed { get; } = series.Sealed;

    public int SealedCount { get; } = series.SealedCount;

    public long SealedMinMs { get; } = series.SealedMinMs;

    public int OpenCount { get; } = series.Open == 0 ? 0 : Volatile.Read(in series.OpenCount);

    public long OpenMinMs { get; } = series.OpenMinMs;

    public bool HasOutOfOrder { get; } = series.HasOutOfOrder;

    public uint Open { get; } = series.Open;

    public bool IsEmpty => SealedCount == 0 && OpenCount == 0 && !HasOutOfOrder;
}
