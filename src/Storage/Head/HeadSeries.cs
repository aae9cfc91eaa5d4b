using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>A sealed chunk: immutable bytes in the arena.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SealedChunk
{
    public nint Data;
    public int Length;
    public int Count;
    public ChunkEncoding Encoding;
    public long MinMs;
    public long MaxMs;

    public readonly unsafe ReadOnlySpan<byte> Bytes => new((void*)Data, Length);
}

/// <summary>One series of a head.</summary>
/// <remarks>
/// The writer alone writes. Readers take a <see cref="SeriesSnapshot"/>: <see cref="Version"/> is odd while chunks are sealed, moved or dropped, and a reader that met a change tries
/// again. A plain append changes nothing but bits behind the published <see cref="OpenCount"/>, and then that count.
/// <code>
///   Sealed ──► [chunk 0][chunk 1]...[chunk SealedCount-1]      immutable, ascending in time
///   Open   ──► count | first | dod xor | dod xor | ...          OpenCount samples published
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
    public nint Sealed;
    public int SealedCount;
    public nint Open;
    public int OpenCapacity;
    public int OpenCount;
    public long OpenMinMs;
    public bool HasOutOfOrder; // Or histograms: samples beside the float chunks.

    // The writer's own.
    public int SealedCapacity;
    public bool HasNewest;
    public long OpenEndMs;
    public XorAppender Appender;
}

/// <summary>What a reader may see of one series.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct SeriesSnapshot(uint reference, in HeadSeries series)
{
    private readonly nint sealedChunks = series.Sealed;
    private readonly nint open = series.Open;
    private readonly int openCapacity = series.OpenCapacity;

    public uint Reference { get; } = reference;

    public int SealedCount { get; } = series.SealedCount;

    public int OpenCount { get; } = series.Open == 0 ? 0 : Volatile.Read(in series.OpenCount);

    public long OpenMinMs { get; } = series.OpenMinMs;

    public bool HasOutOfOrder { get; } = series.HasOutOfOrder;

    public unsafe ReadOnlySpan<SealedChunk> Sealed => new((void*)sealedChunks, SealedCount);

    public unsafe ReadOnlySpan<byte> Open => new((void*)open, openCapacity);

    public bool IsEmpty => SealedCount == 0 && OpenCount == 0 && !HasOutOfOrder;
}
