using System.Buffers;
using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>One series as an index holds it. Reused from series to series; not thread-safe.</summary>
public sealed class SeriesEntry
{
    private readonly ArrayBufferWriter<byte> labels = new(512);
    private readonly List<ChunkMeta> chunks = [];

    /// <summary>The labels in canonical form, valid until the next read into this entry.</summary>
    public ReadOnlySpan<byte> CanonicalLabels => labels.WrittenSpan;

    /// <summary>The chunks in time order, valid until the next read into this entry.</summary>
    public ReadOnlySpan<ChunkMeta> Chunks => CollectionsMarshal.AsSpan(chunks);

    internal void Clear()
    {
        labels.ResetWrittenCount();
        chunks.Clear();
    }

    internal void AddText(ReadOnlySpan<byte> text)
    {
        var to = labels.GetSpan(text.Length + Varint.MaxBytes);
        var at = Varint.Write(to, (ulong)text.Length);
        text.CopyTo(to[at..]);
        labels.Advance(at + text.Length);
    }

    internal void AddChunk(ChunkMeta chunk) => chunks.Add(chunk);
}
