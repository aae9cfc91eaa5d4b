namespace Metrics.Storage;

/// <summary>How the samples of a chunk are encoded; the numbers below 16 are Prometheus's, 255 is Thanos's, the rest are ours.</summary>
public enum ChunkEncoding : byte
{
    /// <summary>No chunk has it.</summary>
    None = 0,

    /// <summary>Floats.</summary>
    Xor = 1,

    /// <summary>Native histograms with integer counts.</summary>
    Histogram = 2,

    /// <summary>Native histograms with float counts.</summary>
    FloatHistogram = 3,

    /// <summary>Floats, their times mostly in a column that series share; see Chunks/Dense/FORMAT.md.</summary>
    Dense = 0x10,

    /// <summary>Times that dense chunks of the same segment refer to; no chunk of the index has it.</summary>
    TimeColumn = 0x11,
}

/// <summary>An encoded chunk on its way into a block.</summary>
/// <param name="Encoding">How <paramref name="Data"/> is encoded.</param>
/// <param name="MinMs">Time of the first sample.</param>
/// <param name="MaxMs">Time of the last sample, inclusive.</param>
/// <param name="Data">The chunk's payload, starting with its sample count (16 bits, big-endian).</param>
public readonly record struct BlockChunk(ChunkEncoding Encoding, long MinMs, long MaxMs, ReadOnlyMemory<byte> Data);
