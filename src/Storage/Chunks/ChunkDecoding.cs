using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Decodes chunks of any encoding.</summary>
public static class ChunkDecoding
{
    /// <summary>Appends the samples of a chunk that lie within the range.</summary>
    /// <param name="encoding">How the chunk is encoded.</param>
    /// <param name="chunk">Its payload.</param>
    /// <param name="range">Which samples.</param>
    /// <param name="into">Takes them.</param>
    /// <param name="columns">Where the chunk's times may stand; chunks outside segments have none.</param>
    /// <exception cref="InvalidDataException">The chunk, or what it refers to, is damaged, or of an encoding that is not known.</exception>
    public static void Decode(ChunkEncoding encoding, ReadOnlySpan<byte> chunk, TimeRange range, SampleBuffer into, TimeColumns columns = default)
    {
        switch (encoding)
        {
            case ChunkEncoding.Xor:
                XorChunk.Decode(chunk, range, into);
                break;
            case ChunkEncoding.Histogram:
                HistogramChunk.Decode(chunk, range, into);
                break;
            case ChunkEncoding.FloatHistogram:
                FloatHistogramChunk.Decode(chunk, range, into);
                break;
            case ChunkEncoding.Dense:
                DenseChunk.Decode(chunk, range, into, columns);
                break;
            case ChunkEncoding.TimeColumn:
                throw new InvalidDataException("a time column stands where a chunk should");
            case AggregateChunk.Encoding:
                throw new InvalidDataException("the chunk holds aggregates of downsampled data, not samples");
            default:
                throw new InvalidDataException($"chunk encoding {(byte)encoding} is not known");
        }
    }
}
