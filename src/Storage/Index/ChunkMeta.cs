namespace Metrics.Storage;

/// <summary>Where a chunk of a series lies and which time it covers.</summary>
/// <param name="Reference">Segment number (from 0) in the upper, byte offset in the lower 32 bits.</param>
/// <param name="MinMs">Time of the first sample, Unix milliseconds.</param>
/// <param name="MaxMs">Time of the last sample, inclusive.</param>
public readonly record struct ChunkMeta(ulong Reference, long MinMs, long MaxMs)
{
    internal int Segment => (int)(Reference >> 32);

    internal uint Offset => (uint)Reference;
}
