using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Decodes chunks of any encoding.</summary>
public static class ChunkDecoding
{
    /// <summary>Appends the samples of a chunk that lie within the range.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged, or of an encoding that is not known.</exception>
    public static void Decode(ChunkEncoding encoding, ReadOnlySpan<byte> chunk, TimeRange range, SampleBuffer into)
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
            default:
                throw new InvalidDataException($"chunk encoding {(byte)encoding} is not known");
        }
    }
}
