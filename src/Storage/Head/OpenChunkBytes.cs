using System.Buffers;

namespace Metrics.Storage;

/// <summary>The bytes of an open chunk, put together from its blocks for reading; to be disposed.</summary>
internal readonly ref struct OpenChunkBytes
{
    private readonly byte[] buffer;
    private readonly int length;

    /// <summary>Gathers a chain.</summary>
    /// <param name="blocks">Whose block it is.</param>
    /// <param name="first">The first block.</param>
    /// <param name="samples">The samples that will be read; bounds the bytes.</param>
    public OpenChunkBytes(OpenBlocks blocks, uint first, int samples)
    {
        buffer = ArrayPool<byte>.Shared.Rent(XorChunk.MaxBytes(samples) + OpenBlocks.DataBytes);
        length = blocks.CopyTo(first, buffer);
    }

    public ReadOnlySpan<byte> Span => buffer.AsSpan(0, length);

    public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
}
